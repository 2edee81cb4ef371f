//! Automata for telephone numbers, derived from libphonenumber's metadata (`data/derive.py`).

use std::sync::LazyLock;

static E164: &[u8] = include_bytes!("../data/phone_e164.bin");
static NATIONAL: &[u8] = include_bytes!("../data/phone_national.bin");
/// The shapes in which national numbers are written, in packed form, sorted.
static SHAPES: LazyLock<Vec<u128>> = LazyLock::new(|| {
    let lines = include_str!("../data/phone_shapes.txt").lines();
    let mut all: Vec<u128> = lines.filter_map(|shape| pack_shape(shape.as_bytes())).collect();
    all.sort_unstable();
    all
});

/// A shape of at most 32 characters, four bits each.
fn pack_shape(shape: &[u8]) -> Option<u128> {
    if shape.len() > 32 {
        return None;
    }
    shape.iter().try_fold(0, |all, b| {
        let code = b"d -./()+".iter().position(|known| known == b)?;
        Some(all << 4 | (code as u128 + 1))
    })
}

/// One automaton over digits.
#[derive(Clone, Copy)]
pub(crate) struct Automaton(&'static [u8]);

/// Numbers with their country calling code, without the `+`.
pub(crate) const INTERNATIONAL_NUMBERS: Automaton = Automaton(E164);
/// Numbers as dialled inside their country, with the trunk prefix where there is one.
pub(crate) const DOMESTIC_NUMBERS: Automaton = Automaton(NATIONAL);

/// The state every automaton starts in.
pub(crate) const START_STATE: u16 = 1;

impl Automaton {
    fn entry(self, index: usize) -> u16 {
        match self.0.get(2 * index..2 * index + 2) {
            Some(&[low, high]) => u16::from_le_bytes([low, high]),
            _ => 0,
        }
    }

    /// The state after one more digit; 0 when no number goes on like that.
    #[inline]
    pub(crate) fn step(self, state: u16, digit: u8) -> u16 {
        self.entry(usize::from(state) * 10 + usize::from(digit)) & 0x7fff
    }

    /// Whether a whole number has been read.
    #[inline]
    pub(crate) fn accepts(self, state: u16) -> bool {
        state != 0 && self.entry(usize::from(state) * 10) & 0x8000 != 0
    }

    /// Whether these digits are one whole number.
    pub(crate) fn matches(self, digits: &[u8]) -> bool {
        let end = digits.iter().fold(START_STATE, |state, d| if state == 0 { 0 } else { self.step(state, *d) });
        self.accepts(end)
    }
}

/// Whether a number may be written in this shape, in which `d` replaces every digit.
pub(crate) fn is_known_shape(shape: &[u8]) -> bool {
    pack_shape(shape).is_some_and(|shape| SHAPES.binary_search(&shape).is_ok())
}
