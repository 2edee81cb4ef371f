//! Masks of an earlier scrub.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::cue::carried_cues;

/// The end of a mask that begins at `i` (`[`), so that the output of an earlier scrub is not scanned again.
///
/// A mask is `[NAME]`, `[NAME:letters]` or `[NAME:1234]`. A token has only letters, or at most four characters, so no
/// finding can hide in it.
pub(crate) fn mask_end(scan: &mut Scan<'_>, at: usize) -> Option<usize> {
    if !scan.is_last
        && scan.bytes.len() - at < MAX_SEALED_LETTERS + 64
        && scan.bytes[at + 1..].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
    {
        // The mask may continue.
        scan.starved = true;
    }
    let end = mask_at(scan, at)?;
    let close = scan.bytes[at + 1..end - 1].iter().position(|b| *b == b':').map_or(end - 1, |k| at + 1 + k);
    let kind = std::str::from_utf8(&scan.bytes[at + 1..close]).ok().and_then(EntityKind::from_name);
    scan.cues.reset(kind.map_or(0, carried_cues), end);
    Some(end)
}

/// The end of the mask that begins at `i`; the mask does not become context.
pub(crate) fn mask_at(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let name = scan.bytes.get(at + 1..)?.iter().take(49).take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    if !(2..=48).contains(&name) {
        return None;
    }
    let mut j = at + 1 + name;
    if scan.byte_at(j) == b':' {
        j += 1;
        let letters = scan.bytes[j..].iter().take(MAX_SEALED_LETTERS).take_while(|b| b.is_ascii_alphabetic()).count();
        if letters > 4 {
            j += letters;
        } else {
            j += scan.bytes[j..].iter().take(5).take_while(|b| b.is_ascii_alphanumeric()).count();
            if j - (at + 2 + name) > 4 {
                return None;
            }
        }
    }
    (scan.byte_at(j) == b']').then_some(j + 1)
}

/// The longest sealed value that is recognised, in letters.
pub(crate) const MAX_SEALED_LETTERS: usize = 32 * 1024;
