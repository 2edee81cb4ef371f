//! Postcodes of digits, next to a state or a cue.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::class::is_word;
use crate::pii::scan::cue::bit;

/// The states and territories of the United States.
const STATES: &str = " AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI FM MH PW AA AE AP ";

/// A postcode of digits at `start..end`.
pub(crate) fn postal(s: &mut Scan<'_>, start: usize, end: usize) -> Option<usize> {
    let len = end - start;
    if len == 5
        && s.before(start) == b' '
        && start >= 3
        && s.b[start - 3].is_ascii_uppercase()
        && s.b[start - 2].is_ascii_uppercase()
        && !is_word(s.before(start - 3))
        && memchr::memmem::find(STATES.as_bytes(), &[b' ', s.b[start - 3], s.b[start - 2], b' ']).is_some()
        && !is_word(s.at(end))
    {
        let state = &s.b[start - 3..start - 1];
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
        let cued = s.cues.near(bit::ADDRESS | bit::ZIP, start, 64).is_some();
        let comma = start >= 5 && (s.b[start - 5] == b',' || s.b[start - 4] == b',')
            || start == 3
            || matches!(s.before(start - 3), b'"' | b'\n');
        if (!word || cued || comma) && !s.cues.prefers(bit::NEGATIVE, bit::ADDRESS | bit::ZIP, start, 16) {
            let to = plus_four(s, end);
            let from = if s.uncovered(start - 3) == start - 3 { start - 3 } else { start };
            return Some(s.hit(Kind::PostalCode, from, to, if cued { 90 } else { 75 }));
        }
    }
    if !(2..=8).contains(&len) || len == 2 && s.at(end) != b'-' || s.at(end) == b'@' {
        return None;
    }
    // `1995-2015`.
    if len == 4 && s.at(end) == b'-' && (1..5).all(|n| s.at(end + n).is_ascii_digit()) {
        return None;
    }
    let near = s.cues.near(bit::ZIP, start, 24)?;
    let own = s.cues.prefers(bit::ZIP, bit::NEGATIVE | bit::PHONE | bit::NUMBER | bit::CARD, start, 24) && near <= 24;
    let dutch = len == 4 && s.at(end + 1).is_ascii_uppercase() && !is_word(s.at(end + 2));
    if !own || is_word(s.at(end)) && s.at(end) < 0x80 && !dutch {
        return None;
    }
    // `1234 AB`, `00-950`, `01310-100`, `123 45`, `123-4567`.
    let to = match (len, s.at(end)) {
        (4, b' ')
            if s.at(end + 1).is_ascii_uppercase() && s.at(end + 2).is_ascii_uppercase() && !is_word(s.at(end + 3)) =>
        {
            end + 3
        }
        (4, b'A'..=b'Z') if s.at(end + 1).is_ascii_uppercase() && !is_word(s.at(end + 2)) => end + 2,
        (2..=5, b'-' | b' ') => {
            let more = s.b[end + 1..].iter().take(5).take_while(|b| b.is_ascii_digit()).count();
            let ok = matches!(
                (len, more, s.at(end)),
                (5, 3 | 4, b'-') | (4, 3, b'-') | (3, 4, b'-') | (2, 3, b'-') | (3, 2, b' ')
            ) && !is_word(s.at(end + 1 + more));
            if ok { end + 1 + more } else { end }
        }
        _ => end,
    };
    if to == end && !(4..=6).contains(&len) && !(matches!(len, 7 | 8) && s.at(end) != b'-') {
        return None;
    }
    Some(s.hit(Kind::PostalCode, start, to, 80))
}

fn plus_four(s: &Scan<'_>, end: usize) -> usize {
    let digits = s.b[end..].iter().skip(1).take(5).take_while(|b| b.is_ascii_digit()).count();
    if s.at(end) == b'-' && digits == 4 && !is_word(s.at(end + 5)) { end + 5 } else { end }
}
