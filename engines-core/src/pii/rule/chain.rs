//! A run of groups of digits with single separators between them.

use crate::pii::scan::Scan;
use crate::pii::scan::class::is_word;

use super::dial;

const MAX_DIGITS: usize = 40;
const MAX_GROUPS: usize = 12;

/// One group of digits.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) start: u32,
    pub(super) len: u8,
    /// Index of its first digit.
    pub(super) at: u8,
    /// What stands before it: a space, `-`, `.`, `/`, `(` or `)`; 0 for the first.
    pub(super) separator: u8,
}

impl Group {
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.start() + usize::from(self.len)
    }
}

/// A run of groups of digits.
pub(super) struct Chain {
    /// With room for sixteen at once behind the last.
    pub(super) digits: [u8; MAX_DIGITS + 16],
    pub(super) groups: [Group; MAX_GROUPS],
    pub(super) lens: [u8; MAX_GROUPS],
    pub(super) n: usize,
    /// Only spaces and brackets stand between its groups.
    pub(super) spaced: bool,
    /// It goes on behind the last group.
    pub(super) cut: bool,
}

impl Chain {
    pub(super) const EMPTY: Self = Self {
        digits: [0; MAX_DIGITS + 16],
        groups: [Group { start: 0, len: 0, at: 0, separator: 0 }; MAX_GROUPS],
        lens: [0; MAX_GROUPS],
        n: 0,
        spaced: true,
        cut: false,
    };

    /// The digits of the groups `k..m`.
    pub(super) fn digits(&self, k: usize, m: usize) -> &[u8] {
        let from = usize::from(self.groups[k].at);
        let last = self.groups[m - 1];
        &self.digits[from..usize::from(last.at + last.len)]
    }

    /// Whether the separators inside `k..m` are all the same, and which.
    pub(super) fn one_separator(&self, k: usize, m: usize) -> Option<u8> {
        let first = self.groups[k + 1].separator;
        self.groups[k + 1..m].iter().all(|g| g.separator == first).then_some(first)
    }

    pub(super) fn separators_are(&self, k: usize, separators: &[u8]) -> bool {
        separators.iter().enumerate().all(|(i, sep)| self.groups[k + 1 + i].separator == *sep)
    }
}

/// How many digits there are from `i` on, at most `MAX_DIGITS` and some.
#[inline]
pub(super) fn digits_from(b: &[u8], i: usize) -> usize {
    let mut j = i;
    while let Some(eight) = b.get(j..).and_then(|rest| rest.first_chunk()) {
        // A digit becomes its value; what is more than nine has the highest bit set then.
        let values = u64::from_le_bytes(*eight) ^ 0x3030_3030_3030_3030;
        let other = (((values & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        if other != 0 {
            return j - i + other.trailing_zeros() as usize / 8;
        }
        j += 8;
        if j - i > MAX_DIGITS {
            return j - i;
        }
    }
    j - i + b.get(j..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// Reads the run whose first group stands at `start..end`.
pub(super) fn gather(s: &Scan<'_>, start: usize, end: usize, chain: &mut Chain) {
    let (mut from, mut to, mut separator, mut total) = (start, end, 0, 0);
    // `(212) …`, `(+44) …`.
    let mut open = s.before(start) == b'(' || s.before(start) == b'+' && start > 1 && s.b[start - 2] == b'(';
    loop {
        let slots = &mut chain.digits[total..];
        match (s.b[from..].first_chunk::<16>(), slots.first_chunk_mut::<16>()) {
            (Some(bytes), Some(slots)) if to - from <= 16 => {
                *slots = (u128::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030_3030_3030_3030_3030).to_le_bytes();
            }
            _ => {
                for (slot, b) in slots.iter_mut().zip(&s.b[from..to]) {
                    *slot = b - b'0';
                }
            }
        }
        chain.groups[chain.n] = Group { start: from as u32, len: (to - from) as u8, at: total as u8, separator };
        chain.lens[chain.n] = (to - from) as u8;
        chain.n += 1;
        total += to - from;
        if chain.n == MAX_GROUPS {
            chain.cut = true;
            return;
        }
        let mut j = to + 1;
        separator = s.at(to);
        match separator {
            b' ' => {
                if s.at(j) == b'(' {
                    separator = b'(';
                    j += 1;
                } else if s.at(j) == b'-' && s.at(j + 1) == b' ' {
                    separator = b'-';
                    j += 2;
                }
            }
            // `card=4111+1111+1111+1111` in a query.
            b'+' if matches!(s.before(start), b'=' | b'+') && s.at(j).is_ascii_digit() && to - from > 1 => {
                separator = b' '
            }
            b'-' if s.at(j) == b'(' => {
                separator = b'(';
                j += 1;
            }
            b'-' if s.at(j) == b' ' && s.before(to) != b' ' => j += 1,
            b'-' | b'.' | b'/' | b'(' => {}
            // What closes more than the run has opened is around it.
            b')' if open => {
                open = false;
                if matches!(s.at(j), b' ' | b'-' | b'.') {
                    j += 1;
                }
            }
            _ => return,
        }
        open |= separator == b'(';
        let before = to;
        from = j;
        to = j + digits_from(s.b, j).min(MAX_DIGITS);
        chain.cut = total + (to - from) > MAX_DIGITS;
        let broken = to == from || chain.cut || is_word(s.at(to)) && s.at(to) < 0x80 && !dial::extended(s, to);
        let apart = matches!(separator, b' ' | b'(' | b')') || from > before + 2;
        if broken || apart && begins_other(s, to) {
            return;
        }
        chain.spaced &= matches!(separator, b' ' | b'(' | b')');
    }
}

/// Whether the digits that end at `to` begin something with letters in it: an address, an identifier.
fn begins_other(s: &Scan<'_>, to: usize) -> bool {
    match s.at(to) {
        b':' => is_word(s.at(to + 1)) || s.at(to + 1) == b':',
        b'-' | b'.' => {
            let digits = (1..6).take_while(|n| s.at(to + n).is_ascii_digit()).count();
            !dial::extended(s, to + 1 + digits)
                && s.b[to + 1..].iter().take(8).take_while(|b| b.is_ascii_alphanumeric()).any(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}
