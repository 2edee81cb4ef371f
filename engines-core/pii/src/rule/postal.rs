//! Postcodes of digits, next to a state or a cue.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::is_word;
use crate::scan::cue::bit;

/// The states and territories of the United States.
const STATES: &str = " AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI FM MH PW AA AE AP ";

/// A postcode of digits at `start..end`.
pub(crate) fn postcode(scan: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let len = end - start;
    if len == 5
        && scan.byte_before(start) == b' '
        && start >= 3
        && scan.bytes[start - 3].is_ascii_uppercase()
        && scan.bytes[start - 2].is_ascii_uppercase()
        && !is_word(scan.byte_before(start - 3))
        && memchr::memmem::find(STATES.as_bytes(), &[b' ', scan.bytes[start - 3], scan.bytes[start - 2], b' '])
            .is_some()
        && !is_word(scan.byte_at(end))
    {
        let state = &scan.bytes[start - 3..start - 1];
        let word = matches!(
            state,
            b"IN"
                | b"OR"
                | b"ME"
                | b"OK"
                | b"HI"
                | b"ID"
                | b"AS"
                | b"MS"
                | b"PR"
                | b"PA"
                | b"AP"
                | b"AI"
                | b"DE"
                | b"VI"
                | b"CO"
                | b"MD"
        );
        let cued = scan.cues.distance_of(bit::ADDRESS | bit::ZIP, start, 64).is_some();
        let comma = start >= 5 && (scan.bytes[start - 5] == b',' || scan.bytes[start - 4] == b',')
            || start == 3
            || matches!(scan.byte_before(start - 3), b'"' | b'\n');
        if (!word || cued || comma) && !scan.cues.is_nearer(bit::NEGATIVE, bit::ADDRESS | bit::ZIP, start, 16) {
            let to = zip_plus_four_end(scan, end);
            let from = if scan.next_uncovered(start - 3) == start - 3 { start - 3 } else { start };
            return Some(scan.add_finding(EntityKind::PostalCode, from, to, if cued { 90 } else { 75 }));
        }
    }
    if !(2..=8).contains(&len) || len == 2 && scan.byte_at(end) != b'-' || scan.byte_at(end) == b'@' {
        return None;
    }
    // `1995-2015`.
    if len == 4 && scan.byte_at(end) == b'-' && (1..5).all(|n| scan.byte_at(end + n).is_ascii_digit()) {
        return None;
    }
    let near = scan.cues.distance_of(bit::ZIP, start, 24)?;
    let own =
        scan.cues.is_nearer(bit::ZIP, bit::NEGATIVE | bit::PHONE | bit::NUMBER | bit::CARD, start, 24) && near <= 24;
    let dutch = len == 4 && scan.byte_at(end + 1).is_ascii_uppercase() && !is_word(scan.byte_at(end + 2));
    if !own || is_word(scan.byte_at(end)) && scan.byte_at(end) < 0x80 && !dutch {
        return None;
    }
    // `1234 AB`, `00-950`, `01310-100`, `123 45`, `123-4567`.
    let to = match (len, scan.byte_at(end)) {
        (4, b' ')
            if scan.byte_at(end + 1).is_ascii_uppercase()
                && scan.byte_at(end + 2).is_ascii_uppercase()
                && !is_word(scan.byte_at(end + 3)) =>
        {
            end + 3
        }
        (4, b'A'..=b'Z') if scan.byte_at(end + 1).is_ascii_uppercase() && !is_word(scan.byte_at(end + 2)) => end + 2,
        (2..=5, b'-' | b' ') => {
            let more = scan.bytes[end + 1..].iter().take(5).take_while(|b| b.is_ascii_digit()).count();
            let ok = matches!(
                (len, more, scan.byte_at(end)),
                (5, 3 | 4, b'-') | (4, 3, b'-') | (3, 4, b'-') | (2, 3, b'-') | (3, 2, b' ')
            ) && !is_word(scan.byte_at(end + 1 + more));
            if ok { end + 1 + more } else { end }
        }
        _ => end,
    };
    if to == end && !(4..=6).contains(&len) && !(matches!(len, 7 | 8) && scan.byte_at(end) != b'-') {
        return None;
    }
    Some(scan.add_finding(EntityKind::PostalCode, start, to, 80))
}

fn zip_plus_four_end(scan: &Scan<'_>, end: usize) -> usize {
    let digits = scan.bytes[end..].iter().skip(1).take(5).take_while(|b| b.is_ascii_digit()).count();
    if scan.byte_at(end) == b'-' && digits == 4 && !is_word(scan.byte_at(end + 5)) { end + 5 } else { end }
}
