//! Where a value stands in its document, and what its key says about it.

use std::cell::Cell;

use crate::pii::scan::cue::{Cues, bit};
use crate::pii::scan::{Scan, packed};

/// Where a value stands, for the receipt's paths: linked through the call stack, so that clean JSON allocates nothing.
pub(crate) struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    step: Step<'p>,
}

enum Step<'p> {
    Root,
    /// A key as it was written out, masks included.
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    pub(crate) const ROOT: Place<'static> = Place { parent: None, step: Step::Root };

    pub(crate) fn key(&'p self, key: &'p str) -> Place<'p> {
        Place { parent: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'p self, index: usize) -> Place<'p> {
        Place { parent: Some(self), step: Step::Index(index) }
    }

    /// The JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let mut out = String::with_capacity(32);
        self.point(&mut out);
        out
    }

    fn point(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.point(out);
        }
        match &self.step {
            Step::Root => {}
            Step::Key(key) => {
                out.push('/');
                if key.bytes().any(|b| matches!(b, b'~' | b'/')) {
                    out.push_str(&key.replace('~', "~0").replace('/', "~1"));
                } else {
                    out.push_str(key);
                }
            }
            Step::Index(index) => {
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
    }
}

/// The cues of a key for its value, with what the keys around it say.
pub(crate) fn hint(key: &[u8], around: Cues) -> Cues {
    Scan::hint_of(key) | (around & !bit::FORWARD)
}

/// How many names a thread remembers the cues of.
const REMEMBERED: usize = 64;

thread_local! {
    /// The same few keys come again and again: for each slot, a name of at most fifteen bytes and its cues.
    static NAMES: [Cell<(u128, Cues)>; REMEMBERED] = const { [const { Cell::new((0, 0)) }; REMEMBERED] };
}

/// The same for a key of fewer than sixteen letters and `_`, at `start..end` of a document.
#[inline]
pub(crate) fn named(document: &[u8], start: usize, end: usize, around: Cues) -> Cues {
    let name = packed(document, start, end);
    let slot = ((name as u64 ^ (name >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % REMEMBERED;
    let known = NAMES.with(|names| names[slot].get());
    let own = if known.0 == name { known.1 } else { look_up(document, start, end, name, slot) };
    own | (around & !bit::FORWARD)
}

#[inline(never)]
fn look_up(document: &[u8], start: usize, end: usize, name: u128, slot: usize) -> Cues {
    let own = Scan::hint_of(&document[start..end]);
    NAMES.with(|names| names[slot].set((name, own)));
    own
}

/// Whether a number may be one that is looked for: long, or one that its key speaks of.
pub(crate) fn number_matters(number: &str, hint: Cues) -> bool {
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    digits && (number.len() >= 7 || number.len() >= 4 && hint & (bit::ZIP | bit::PASSWORD) != 0)
        || hint & (bit::GEO | bit::LATLON) != 0
        || hint & bit::BORN != 0 && number.len() == 8
}

/// A key that is not yet among those written: two that became alike are told apart by a suffix.
pub(crate) fn distinct(key: String, taken: &[String]) -> String {
    if !taken.contains(&key) {
        return key;
    }
    let mut n = 2_usize;
    loop {
        let candidate = format!("{key}_{n}");
        if !taken.contains(&candidate) {
            return candidate;
        }
        n += 1;
    }
}
