//! What an earlier scrub left, and what a finding says about what comes next.

use crate::pii::entity::Kind;
use crate::pii::scan::Scan;
use crate::pii::scan::cue::{Cues, bit};

/// What a finding says about what comes next, as a cue would.
pub(crate) fn carried(kind: Kind) -> Cues {
    match kind {
        Kind::EmailAddress => bit::EMAIL | bit::NUMBER,
        Kind::PhoneNumber => bit::PHONE,
        Kind::CreditCard => bit::CARD,
        Kind::IbanCode => bit::BANK,
        Kind::IpAddress => bit::IP | bit::MAC,
        Kind::StreetAddress => bit::ADDRESS | bit::ZIP,
        _ => 0,
    }
}

/// Where a mask that begins at `i` (`[`) ends, so that what an earlier scrub left is not looked at again.
///
/// `[NAME]`, `[NAME:letters]` and `[NAME:1234]`: a token has letters only or at most four characters, so nothing can hide in it.
pub(crate) fn mask_end(s: &mut Scan<'_>, i: usize) -> Option<usize> {
    if !s.last
        && s.b.len() - i < MAX_TOKEN + 64
        && s.b[i + 1..].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
    {
        // It may go on.
        s.starved = true;
    }
    let end = mask_at(s, i)?;
    let close = s.b[i + 1..end - 1].iter().position(|b| *b == b':').map_or(end - 1, |k| i + 1 + k);
    let kind = std::str::from_utf8(&s.b[i + 1..close]).ok().and_then(Kind::from_name);
    s.cues.reset(kind.map_or(0, carried), end);
    Some(end)
}

/// The end of the mask that begins at `i`, without taking it as context.
pub(crate) fn mask_at(s: &Scan<'_>, i: usize) -> Option<usize> {
    let name = s.b.get(i + 1..)?.iter().take(49).take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    if !(2..=48).contains(&name) {
        return None;
    }
    let mut j = i + 1 + name;
    if s.at(j) == b':' {
        j += 1;
        let letters = s.b[j..].iter().take(MAX_TOKEN).take_while(|b| b.is_ascii_alphabetic()).count();
        if letters > 4 {
            j += letters;
        } else {
            j += s.b[j..].iter().take(5).take_while(|b| b.is_ascii_alphanumeric()).count();
            if j - (i + 2 + name) > 4 {
                return None;
            }
        }
    }
    (s.at(j) == b']').then_some(j + 1)
}

/// The longest sealed value that is recognised, in letters.
pub(crate) const MAX_TOKEN: usize = 32 * 1024;
