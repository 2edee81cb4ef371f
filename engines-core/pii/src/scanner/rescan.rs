//! Scans the text before a finding again, as it will be once the finding is masked.
//!
//! A rule that looked ahead from there saw the finding's own characters: a telephone number seemed to continue into a
//! card number, a token into the next one. In the masked text both end before the mask. Scanning the text that way at
//! once finds what its neighbour had hidden, and keeps a second scrub from finding anything new.

use crate::rule;
use crate::scan::body_set::BODY_SETS;
use crate::scan::byte_class::{is_alnum, is_word, joins_groups, separates_values};
use crate::scan::lookahead::STREET_REACH;
use crate::scan::{Lookahead, Scan};

/// The distance before a finding that is scanned again, in bytes; it is within what a stream keeps.
const RESCAN_BYTES: usize = 96;
/// The fewest digits of a finding without a cue.
const MIN_DIGITS: usize = 5;
/// A shorter word attached to a finding is its key.
const MIN_TOKEN_BYTES: usize = 6;

/// Scans the text before a finding at `start` again, if it is `crowded` or something before it was searched without
/// success.
pub(crate) fn rescan_before(scan: &mut Scan<'_>, start: usize, crowded: bool) {
    if crowded || has_pending(&scan.lookahead, scan.bytes, start) {
        rescan(scan, start);
    }
}

/// Whether there may be something to scan again before a finding at `start`, decided by the text before the finding.
fn has_pending(lookahead: &Lookahead, bytes: &[u8], start: usize) -> bool {
    let skipped = lookahead.unread_from != 0 && start > lookahead.unread_from as usize + MIN_TOKEN_BYTES;
    skipped
        || house_number_before(lookahead, bytes, start)
        || lookahead.missed_value_before(bytes, start)
        || lookahead.missed_label_before(bytes, start)
}

/// Whether a number between names that were not a street may be the start of an address before `start`.
fn house_number_before(lookahead: &Lookahead, bytes: &[u8], start: usize) -> bool {
    lookahead.house_number != 0
        && (start + 1).wrapping_sub(lookahead.house_number as usize) <= STREET_REACH
        && rule::address::may_end_address(&bytes[lookahead.house_number as usize - 1..start])
}

#[inline(never)]
fn rescan(scan: &mut Scan<'_>, start: usize) {
    let floor = scan.last_finding_end().max(start.saturating_sub(RESCAN_BYTES));
    let ahead = scan.lookahead;
    scan.lookahead = Lookahead { depth: ahead.depth, ..Lookahead::default() };
    let mut from = cluster_start(&scan.bytes[..start], floor).unwrap_or(start);
    let unread = ahead.unread_from as usize;
    if unread > floor && start > unread + MIN_TOKEN_BYTES {
        let skipped = &scan.bytes[unread..start];
        if skipped.iter().any(|b| b.is_ascii_digit() || *b == b'@') || skipped.windows(3).any(|w| w == b"---") {
            from = from.min(unread);
        }
    }
    if house_number_before(&ahead, scan.bytes, start) && ahead.house_number as usize > floor {
        from = from.min(ahead.house_number as usize - 1);
    }
    let label = ahead.missed_label.end as usize >= floor && ahead.missed_label_before(scan.bytes, start);
    let value = ahead.missed_value.end as usize >= floor && ahead.missed_value_before(scan.bytes, start);
    if from == start && !label && !value {
        return;
    }
    let mut inner = Scan {
        bytes: &scan.bytes[..start],
        is_last: true,
        starved: false,
        findings: &mut *scan.findings,
        cues: scan.cues,
        pos: from,
        in_long_word: false,
        secret_runs: [(0, 0); BODY_SETS],
        lookahead: Lookahead {
            depth: ahead.depth + 1,
            missed_label: ahead.missed_label,
            missed_value: ahead.missed_value,
            ..Lookahead::default()
        },
        last_end: scan.last_end,
        deny: scan.deny,
        table: scan.table,
        calls: scan.calls,
        #[cfg(test)]
        examined: std::cell::Cell::new(0),
    };
    for (miss, wanted) in [(ahead.missed_label, label), (ahead.missed_value, value)] {
        if wanted
            && miss.end as usize >= inner.last_finding_end()
            && (miss.start as usize) < inner.pos
            && let Some(to) =
                rule::cue_values::value_after_cue(&mut inner, miss.start as usize, miss.end as usize, miss.cues())
        {
            inner.pos = inner.pos.max(to);
        }
    }
    inner.pos = inner.pos.max(inner.last_finding_end());
    if inner.pos < start {
        inner.run();
    }
    let edge = inner.last_end;
    #[cfg(test)]
    let looks = inner.examined.get();
    scan.last_end = edge;
    #[cfg(test)]
    scan.examined.set(scan.examined.get() + looks);
}

/// The start of the value at the end of `text`, if it may be a finding: digits with separators, or a token.
fn cluster_start(text: &[u8], floor: usize) -> Option<usize> {
    let end = text.len();
    let mut i = end;
    while i > floor && end - i < 3 && separates_values(text[i - 1]) {
        i -= 1;
    }
    if i == floor {
        return None;
    }
    let apart = text[i..].contains(&b' ');
    let mut at = i;
    if text[i - 1].is_ascii_digit() {
        let mut digits = 0;
        while at > floor && (text[at - 1].is_ascii_digit() || joins_groups(text[at - 1])) {
            at -= 1;
            digits += usize::from(text[at].is_ascii_digit());
        }
        if digits >= MIN_DIGITS {
            while at > floor && is_word(text[at - 1]) {
                at -= 1;
            }
            return Some(at);
        }
    }
    if apart || !(is_alnum(text[i - 1]) || i < end) {
        return None;
    }
    at = i;
    let mut telling = false;
    while at > floor && text[at - 1] > b' ' && text[at - 1] != b'"' {
        at -= 1;
        telling |= text[at].is_ascii_digit() || matches!(text[at], b'@' | b')');
    }
    (telling && end - at >= MIN_TOKEN_BYTES).then_some(at)
}
