//! The path of a value in its document, and the cues in its keys.

use std::cell::Cell;

use crate::scan::cue::{Cues, bit};
use crate::scan::{cues_of_key, pack_name};

/// The path of a value, for the paths of the report. Paths are linked through the call stack, so that clean JSON
/// allocates nothing.
pub(crate) struct JsonPath<'p> {
    parent: Option<&'p JsonPath<'p>>,
    step: PathStep<'p>,
}

enum PathStep<'p> {
    Root,
    /// A key as it was written to the output, with masks.
    Key(&'p str),
    Index(usize),
}

impl<'p> JsonPath<'p> {
    pub(crate) const ROOT: JsonPath<'static> = JsonPath { parent: None, step: PathStep::Root };

    pub(crate) fn key(&'p self, key: &'p str) -> JsonPath<'p> {
        JsonPath { parent: Some(self), step: PathStep::Key(key) }
    }

    pub(crate) fn index(&'p self, index: usize) -> JsonPath<'p> {
        JsonPath { parent: Some(self), step: PathStep::Index(index) }
    }

    /// The JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self) -> String {
        let mut out = String::with_capacity(32);
        self.write_pointer(&mut out);
        out
    }

    fn write_pointer(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write_pointer(out);
        }
        match &self.step {
            PathStep::Root => {}
            PathStep::Key(key) => {
                out.push('/');
                if key.bytes().any(|b| matches!(b, b'~' | b'/')) {
                    out.push_str(&key.replace('~', "~0").replace('/', "~1"));
                } else {
                    out.push_str(key);
                }
            }
            PathStep::Index(index) => {
                out.push('/');
                out.push_str(&index.to_string());
            }
        }
    }
}

/// The cues that a key gives for its value, combined with those of the keys around it.
pub(crate) fn key_cues(key: &[u8], around: Cues) -> Cues {
    cues_of_key(key) | (around & !bit::VALUE_FOLLOWS)
}

/// The number of names whose cues a thread caches.
const CACHE_SLOTS: usize = 64;

thread_local! {
    /// A cache, because the same few keys repeat: each slot has a name of at most fifteen bytes and its cues.
    static KEY_CUE_CACHE: [Cell<(u128, Cues)>; CACHE_SLOTS] = const { [const { Cell::new((0, 0)) }; CACHE_SLOTS] };
}

/// The same for a key of fewer than sixteen letters and `_`, at `start..end` of a document.
#[inline]
pub(crate) fn cached_key_cues(document: &[u8], start: usize, end: usize, around: Cues) -> Cues {
    let name = pack_name(document, start, end);
    let slot = ((name as u64 ^ (name >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % CACHE_SLOTS;
    let known = KEY_CUE_CACHE.with(|names| names[slot].get());
    let own = if known.0 == name { known.1 } else { compute_key_cues(document, start, end, name, slot) };
    own | (around & !bit::VALUE_FOLLOWS)
}

#[inline(never)]
fn compute_key_cues(document: &[u8], start: usize, end: usize, name: u128, slot: usize) -> Cues {
    let own = cues_of_key(&document[start..end]);
    KEY_CUE_CACHE.with(|names| names[slot].set((name, own)));
    own
}

/// Whether a number may be a finding: it is long, or its key is a cue.
pub(crate) fn number_needs_scan(number: &str, hint: Cues) -> bool {
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    digits && (number.len() >= 7 || number.len() >= 4 && hint & (bit::ZIP | bit::PASSWORD) != 0)
        || hint & (bit::GEO | bit::COORDINATE) != 0
        || hint & bit::BORN != 0 && number.len() == 8
}

/// Makes a key unique among those already written: keys that became equal by masking get a suffix.
pub(crate) fn unique_key(key: String, taken: &[String]) -> String {
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
