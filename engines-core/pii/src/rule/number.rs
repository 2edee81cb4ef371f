//! Runs of digits with single separators, and the kinds of numbers they are.
//!
//! The groups of a run are read once. Then every position in it at which a number may begin is checked for cards,
//! national numbers, telephone numbers and other numbers, the most certain first.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::cue::bit;

use super::card::{self, Issuer};
use super::check_digits::digits_value;
use super::digit_run::{DigitRun, read_run};
use super::number_start::{
    CUE_REACH, NumberStart, country_prefix, is_glued, number_may_end, number_start, plausible_date,
};
use super::{
    address, date, fast_reject, hyphenated_ids, national_ids, network, password_hash, phone_match, postal, secret,
};

/// Examines a word of digits at `start..end`.
#[inline(never)]
pub(crate) fn scan_digits(scan: &mut Scan<'_>, start: usize, end: usize) -> usize {
    if end - start > 24 {
        return end;
    }
    let next = scan.byte_at(end);
    if next == b'-'
        && end - start == 4
        && let Some(to) = date::timestamp_end(scan, start)
        && (!scan.cues.has_any(bit::SORT_CODE | bit::BORN | bit::ZIP)
            || scan.cues.cues_within(start, CUE_REACH) & (bit::SORT_CODE | bit::BORN | bit::ZIP) == 0)
    {
        return to;
    }
    if next == b':'
        && (8..=10).contains(&(end - start))
        && let Some(to) = secret::telegram_token(scan, start, end)
    {
        return to;
    }
    if next == b'/'
        && scan.byte_at(end + 1) == b'/'
        && let Some(to) = secret::google_refresh_token(scan, start)
    {
        return to;
    }
    if network::digits_may_begin_address(end - start, next)
        && let Some(to) = network::hex_address(scan, start, end)
    {
        return to;
    }
    if next == b'$'
        && let Some(to) = password_hash::password_hash(scan, start, end)
    {
        return to;
    }
    let short = end - start <= 5;
    // `card=4111+1111+1111+1111` in a query.
    let query = next == b'+' && scan.byte_at(end + 1).is_ascii_digit() && scan.byte_before(start) == b'=';
    let joined = fast_reject::run_goes_on(next, scan.byte_at(end + 1)) || query;
    if joined {
        let nothing = if next == b'.' { fast_reject::skip_decimal(scan, start, end) } else { None };
        if let Some(to) = nothing.or_else(|| fast_reject::date_end(scan, start, end)) {
            return to;
        }
    }
    if short && !joined {
        if end - start == 5 || scan.cues.distance_of(bit::ZIP, start, 24).is_some() {
            let glued = is_glued(scan, start) && !country_prefix(scan, start);
            if !glued && let Some(to) = postal::postcode(scan, start, end) {
                return to;
            }
        }
        if let Some(to) = address::number_last(scan, start, end) {
            return to;
        }
        let first = if matches!(next, b',' | b'\n' | b' ') && !is_glued(scan, start) && scan.byte_before(start) != b'+'
        {
            address::number_first(scan, start, end)
        } else {
            None
        };
        return first.unwrap_or(end);
    }
    if !joined && fast_reject::single_group_is_no_number(scan, start, end) {
        return end;
    }
    let mut chain = DigitRun::EMPTY;
    read_run(scan, start, end, &mut chain);
    scan_run(scan, &chain)
}

fn scan_run(scan: &mut Scan<'_>, digit_run: &DigitRun) -> usize {
    let mut k = 0;
    let mut after_hit = false;
    let mut last = None;
    while k < digit_run.count {
        let first = digit_run.groups[k];
        let free = k == 0 || after_hit || matches!(first.separator, b' ' | b'(');
        if !free {
            k += 1;
            continue;
        }
        let mut place = number_start(scan, digit_run, k);
        place.inside_run = k > 0 && !after_hit;
        // Nothing has fewer than six digits, except addresses with dots.
        let few = digit_run.count - k < 4 && digit_run.digits(k, digit_run.count).len() < 6;
        if !few {
            place.cues = scan.cues.cues_within(place.start, CUE_REACH);
        }
        let found = if few { None } else { match_number(scan, digit_run, k, &place) };
        match found {
            Some(m) => {
                after_hit = true;
                last = Some(digit_run.groups[m - 1].end());
                k = m;
            }
            None => {
                after_hit = false;
                if let Some(to) = match_single_group(scan, digit_run, k, &place) {
                    after_hit = true;
                    last = Some(to);
                    if to >= digit_run.groups[digit_run.count - 1].end() {
                        return to;
                    }
                    while k < digit_run.count && digit_run.groups[k].start() < to {
                        k += 1;
                    }
                } else {
                    k += 1;
                }
            }
        }
    }
    // Behind what was found in it a run begins anew, as it does behind a mask.
    match last {
        Some(last) => last.max(scan.last_finding_end()),
        None => digit_run.groups[digit_run.count - 1].end(),
    }
}

/// The number that begins at group `k`: returns the index of the group behind it.
fn match_number(scan: &mut Scan<'_>, run: &DigitRun, first_group: usize, number_start: &NumberStart) -> Option<usize> {
    let lens = &run.lengths[first_group..run.count];
    // Nothing is written as `1 1 …` or has fewer than six digits, except addresses with dots.
    let few = run.digits(first_group, run.count).len() < 6 || matches!(lens, [1, 1, ..]) && !number_start.plus;
    if few && !matches!(lens, [_, _, _, _, ..]) {
        return None;
    }
    if fast_reject::no_number_begins(scan, run, first_group, number_start) {
        return None;
    }
    let open = |i: usize| run.groups[i].separator == b'(';
    if matches!(lens, [1, 1, 1, ..])
        && (run.groups[first_group + 1].separator == b' ' || open(first_group + 1) || open(first_group + 2))
    {
        return None;
    }
    if let [1..=3, 1..=3, 1..=3, 1..=3, ..] = lens
        && run.has_separators(first_group, b"...")
    {
        let octet =
            |i: usize| run.digits(first_group + i, first_group + i + 1).iter().fold(0, |n, d| n * 10 + u32::from(*d));
        let octets = [octet(0), octet(1), octet(2), octet(3)];
        let five = lens.len() > 4 && run.groups[first_group + 4].separator == b'.';
        let padded = (0..4).any(|i| lens[i] > 1 && run.digits(first_group + i, first_group + i + 1)[0] == 0);
        if !five && !padded && !number_start.plus && !number_start.bracketed {
            let end = run.groups[first_group + 3].end();
            // `12.34.56.78` behind "Tel." is how some countries write their numbers.
            let field = |b: &u8| matches!(b, b'<' | b'\t' | b'|' | b',' | b';');
            let near = &scan.bytes[number_start.start.saturating_sub(12)..number_start.start];
            let dialled = lens[..4] == [2, 2, 2, 2]
                && !near.iter().any(field)
                && phone_match::has_phone_cue(scan, number_start.start, 12);
            // A prefix length was read as the fifth group.
            if !dialled && octets.iter().all(|o| *o < 256) {
                let to = network::ipv4(scan, run.groups[first_group].start(), octets, end);
                return to.map(|to| {
                    first_group + run.groups[first_group..run.count].iter().take_while(|g| g.start() < to).count()
                });
            }
        }
    }
    if matches!(lens, [6, ..] | [2, 2, 2, ..])
        && let Some(to) = hyphenated_ids::spaced_nino(scan, run, first_group)
    {
        return Some(first_group + run.groups[first_group..run.count].iter().take_while(|g| g.start() < to).count());
    }
    if let Some(m) = match_sort_code(scan, run, first_group, number_start) {
        return Some(m);
    }
    if let Some(to) = hyphenated_ids::number_with_letter(scan, run, first_group) {
        return Some(first_group + run.groups[first_group..run.count].iter().take_while(|g| g.start() < to).count());
    }
    if let Some(m) = match_date(run, first_group)
        && number_start.cues & (bit::SORT_CODE | bit::BORN) == 0
    {
        return Some(m);
    }
    if !number_start.plus {
        if let Some(m) = match_social_security(scan, run, first_group, number_start) {
            return Some(m);
        }
        if let Some(m) = match_card(scan, run, first_group, number_start) {
            return Some(m);
        }
    }
    let national = if number_start.plus { None } else { match_national(scan, run, first_group, number_start) };
    // A part of a card number is not a telephone number, even where a card is ruled out.
    let split = |m: usize| (first_group + 1..m).any(|j| m < j + 4 && is_card(run, j));
    let phone = phone_match::match_phone(scan, run, first_group, number_start).filter(|(m, ..)| !split(*m));
    if let Some((m, ..)) = phone
        && m < first_group + 4
        && is_card(run, first_group)
        && number_may_end(scan, run, first_group + 4)
    {
        scan.add_finding(
            EntityKind::CreditCard,
            run.groups[first_group].start(),
            run.groups[first_group + 3].end(),
            80,
        );
        return Some(first_group + 4);
    }
    match (national, phone) {
        (Some((kind, m, distance, score)), other) => {
            if let Some((pm, pd, pscore)) = other
                && pd < distance
            {
                return Some(phone_match::add_phone(scan, run, number_start, pm, pscore));
            }
            scan.add_finding(kind, run.groups[first_group].start(), run.groups[m - 1].end(), score);
            Some(m)
        }
        (None, Some((m, _, score))) => Some(phone_match::add_phone(scan, run, number_start, m, score)),
        (None, None) => None,
    }
}

/// Dates, and what looks like one.
fn match_date(run: &DigitRun, group: usize) -> Option<usize> {
    let m = match &run.lengths[group..run.count] {
        [4, 1..=2, 1..=2, ..] | [1..=2, 1..=2, 4, ..] | [2, 2, 2, ..] => group + 3,
        _ => return None,
    };
    let separator = run.common_separator(group, m)?;
    if !matches!(separator, b'-' | b'.' | b'/')
        || m < run.count && !matches!(run.groups[m].separator, b' ' | b'(' | b')')
    {
        return None;
    }
    let v = |i: usize| run.digits(group + i, group + i + 1).iter().fold(0_u32, |n, d| n * 10 + u32::from(*d));
    plausible_date([v(0), v(1), v(2)], (run.lengths[group], run.lengths[group + 2])).then_some(m)
}

/// British sort codes, next to their cue.
fn match_sort_code(scan: &mut Scan<'_>, run: &DigitRun, group: usize, number_start: &NumberStart) -> Option<usize> {
    if number_start.cues & bit::SORT_CODE == 0
        || scan.cues.distance_of(bit::SORT_CODE, number_start.start, 24).is_none()
    {
        return None;
    }
    let m = match &run.lengths[group..run.count] {
        [2, 2, 2, ..] if matches!(run.common_separator(group, group + 3), Some(b'-' | b' ')) => group + 3,
        [6, ..] => group + 1,
        _ => return None,
    };
    number_may_end(scan, run, m).then(|| {
        scan.add_finding(EntityKind::UkSortCode, run.groups[group].start(), run.groups[m - 1].end(), 85);
        m
    })
}

/// Social Security numbers and ITINs, by their groups.
fn match_social_security(
    scan: &mut Scan<'_>,
    run: &DigitRun,
    group: usize,
    number_start: &NumberStart,
) -> Option<usize> {
    let [3, 2, 4, ..] = &run.lengths[group..run.count] else { return None };
    let m = group + 3;
    let separator = run.common_separator(group, m)?;
    if !number_may_end(scan, run, m) {
        return None;
    }
    let cued = scan.cues.is_nearer(
        bit::SSN | bit::ITIN | bit::NATIONAL,
        bit::NEGATIVE | bit::PHONE,
        number_start.start,
        CUE_REACH,
    );
    let refused =
        number_start.glued || scan.cues.is_nearer(bit::NEGATIVE, bit::SSN | bit::ITIN, number_start.start, 24);
    let sure = separator == b'-' && !refused;
    if !(cued || sure) || !matches!(separator, b'-' | b' ' | b'.') || number_start.bracketed {
        return None;
    }
    let d = run.digits(group, m);
    let kind = if national_ids::ssn(d) {
        EntityKind::UsSsn
    } else if national_ids::itin(d) {
        EntityKind::UsItin
    } else {
        return None;
    };
    scan.add_finding(kind, run.groups[group].start(), run.groups[m - 1].end(), if cued { 98 } else { 85 });
    Some(m)
}

/// Payment cards, in one run or grouped.
fn match_card(scan: &mut Scan<'_>, run: &DigitRun, group: usize, number_start: &NumberStart) -> Option<usize> {
    let most = (run.count - group).min(5);
    for count in (1..=most).rev() {
        let m = group + count;
        let d = run.digits(group, m);
        if !(12..=19).contains(&d.len()) {
            continue;
        }
        if count > 1
            && (!card::is_card_grouping(&run.lengths[group..m])
                || !matches!(run.common_separator(group, m), Some(b' ' | b'-' | b'.')))
        {
            continue;
        }
        if number_start.glued && number_start.cues & bit::CARD == 0 || !number_may_end(scan, run, m) && m == run.count {
            continue;
        }
        if m < run.count && matches!(run.groups[m].separator, b'-' | b'.') || count > 3 && counts_up(run, group, m) {
            continue;
        }
        let issuer = card::issuer(d);
        let against = bit::NEGATIVE | bit::IMEI | bit::NIR | bit::AADHAAR;
        let cued = scan.cues.is_nearer(bit::CARD, against, number_start.start, CUE_REACH);
        // `4300.0020.0011.0002` is more often something else.
        let dots = count > 1 && run.groups[group + 1].separator == b'.';
        let sure = match issuer {
            Issuer::None => false,
            _ if dots && !cued => false,
            Issuer::Strong => cued || !scan.cues.is_nearer(against, bit::CARD, number_start.start, 28),
            Issuer::Weak => cued,
        };
        if sure {
            let score = if cued { 100 } else { 90 };
            scan.add_finding(EntityKind::CreditCard, run.groups[group].start(), run.groups[m - 1].end(), score);
            return Some(m);
        }
    }
    None
}

/// Whether a card in four groups of four begins at group `k`.
fn is_card(run: &DigitRun, group: usize) -> bool {
    run.lengths[group..run.count].starts_with(&[4, 4, 4, 4])
        && card::issuer(run.digits(group, group + 4)) == Issuer::Strong
}

/// Whether each group is one more than the one before it: a table, not a card.
fn counts_up(run: &DigitRun, first_group: usize, end_group: usize) -> bool {
    let group = |i: usize| digits_value(run.digits(i, i + 1));
    (first_group + 1..end_group).filter(|i| group(*i) == group(*i - 1) + 1).count() + 2 >= end_group - first_group
}

/// Whether one of these phrases is in the 40 bytes before a number.
fn phrase_before(scan: &Scan<'_>, at: usize, phrases: &[&str]) -> bool {
    let before = &scan.bytes[at.saturating_sub(40)..at];
    phrases.iter().map(|phrase| phrase.as_bytes()).any(|phrase| {
        let begins =
            |from: usize| before.get(from..from + phrase.len()).is_some_and(|w| w.eq_ignore_ascii_case(phrase));
        memchr::memchr2_iter(phrase[0], phrase[0].to_ascii_uppercase(), before).any(begins)
    })
}

/// National numbers: kind, group behind it, distance of the cue, score.
fn match_national(
    scan: &Scan<'_>,
    run: &DigitRun,
    group: usize,
    number_start: &NumberStart,
) -> Option<(EntityKind, usize, usize, u8)> {
    let cued = number_start.cues & national_ids::ALL_CUES != 0;
    let shaped = matches!(
        &run.lengths[group..run.count],
        [3, 3, 3, 2, ..]
            | [2, 2, 2, 3, 2, ..]
            | [6, 7, ..]
            | [3, 4, 4, 2, ..]
            | [1, 4, 5, 2, 1, ..]
            | [2, 3, 3, 4, 2, ..]
            | [1, 2, 2, 2, 3, 3, 2, ..]
            | [6 | 8, 4, ..]
            | [6, 5, ..]
            | [1..=3, 3, 3, 1, ..]
            | [2, 8, 1, ..]
            | [3, 7, 1, ..]
            | [5, 7, 1, ..]
            | [6, 2, 4, ..]
            | [15 | 18, ..]
    );
    let phrased = number_start.cues & (bit::NUMBER | bit::FILLER) != 0;
    if !cued && !shaped && !phrased {
        return None;
    }
    let mut best: Option<(EntityKind, usize, usize, u8)> = None;
    let most = (run.count - group).min(7);
    for count in (1..=most).rev() {
        let m = group + count;
        let d = run.digits(group, m);
        if d.len() > 18
            || !cued && !phrased && count == 1 && !matches!(d.len(), 15 | 18)
            || !number_may_end(scan, run, m)
        {
            continue;
        }
        let which = if cued { u32::MAX } else { national_ids::without_cue(d.len()) };
        if which == 0 {
            continue;
        }
        for (i, spec) in national_ids::with_digits(d.len()).iter().enumerate() {
            if which >> i & 1 == 0 {
                continue;
            }
            let shaped = !number_start.glued
                && spec
                    .certain_groupings
                    .iter()
                    .any(|(lens, seps)| &run.lengths[group..m] == *lens && run.has_separators(group, seps));
            let alone = spec.needs_no_cue
                && count == 1
                && !number_start.glued
                && scan.cues.distance_of(bit::NEGATIVE, number_start.start, 24).is_none();
            let named = if number_start.cues & spec.cues != 0 {
                scan.cues.distance_of(spec.cues, number_start.start, CUE_REACH)
            } else {
                None
            };
            // `123-45-6789` is not a number of another country.
            let generic = if spec.generic_cue
                && number_start.cues & bit::NATIONAL != 0
                && !matches!(&run.lengths[group..m], [3, 2, 4])
            {
                scan.cues.distance_of(bit::NATIONAL, number_start.start, CUE_REACH).map(|d| d + 8)
            } else {
                None
            };
            let named = match (named, generic) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let distance = match named {
                Some(distance)
                    if !scan.cues.is_nearer(
                        bit::NEGATIVE,
                        spec.cues | bit::NATIONAL,
                        number_start.start,
                        CUE_REACH,
                    ) =>
                {
                    distance
                }
                _ if alone || shaped && !scan.cues.is_nearer(bit::NEGATIVE, spec.cues, number_start.start, 16) => {
                    2 * CUE_REACH
                }
                _ if !spec.phrases.is_empty()
                    && (spec.check)(d)
                    && phrase_before(scan, number_start.start, spec.phrases) =>
                {
                    10
                }
                _ => continue,
            };
            if best.is_some_and(|b| b.2 <= distance) || !(spec.check)(d) {
                continue;
            }
            // `0.3.1 (2020-12-16)`.
            if run.groups[group + 1..m].iter().any(|g| g.separator == b'(') {
                continue;
            }
            best = Some((spec.kind, m, distance, if distance < 2 * CUE_REACH { 95 } else { 80 }));
        }
    }
    best
}

/// Handles a group that is not a number of its own: a house number or a postcode.
fn match_single_group(
    scan: &mut Scan<'_>,
    run: &DigitRun,
    first_group: usize,
    number_start: &NumberStart,
) -> Option<usize> {
    let group = run.groups[first_group];
    if number_start.plus || group.length > 8 {
        return None;
    }
    if !number_start.glued
        && let Some(to) = postal::postcode(scan, group.start(), group.end())
    {
        return Some(to);
    }
    if group.length <= 5 {
        if let Some(to) = address::number_last(scan, group.start(), group.end()) {
            return Some(to);
        }
        if !number_start.glued {
            return address::number_first(scan, group.start(), group.end());
        }
    }
    None
}
