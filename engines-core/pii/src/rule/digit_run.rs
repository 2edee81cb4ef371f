//! A run of groups of digits with single separators between them.

use crate::scan::Scan;
use crate::scan::byte_class::is_word;

use super::extension;

const MAX_DIGITS: usize = 40;
const MAX_GROUPS: usize = 12;

/// One group of digits.
#[derive(Clone, Copy)]
pub(super) struct DigitGroup {
    pub(super) start: u32,
    pub(super) length: u8,
    /// Index of its first digit.
    pub(super) first_digit: u8,
    /// The byte before it: a space, `-`, `.`, `/`, `(` or `)`; 0 for the first.
    pub(super) separator: u8,
}

impl DigitGroup {
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.start() + usize::from(self.length)
    }
}

/// A run of groups of digits.
pub(super) struct DigitRun {
    /// The digits, with space for sixteen more to be written at once.
    pub(super) digits: [u8; MAX_DIGITS + 16],
    pub(super) groups: [DigitGroup; MAX_GROUPS],
    pub(super) lengths: [u8; MAX_GROUPS],
    pub(super) count: usize,
    /// Whether only spaces and brackets separate its groups.
    pub(super) spaces_only: bool,
    /// Whether it continues behind the last group.
    pub(super) truncated: bool,
}

impl DigitRun {
    pub(super) const EMPTY: Self = Self {
        digits: [0; MAX_DIGITS + 16],
        groups: [DigitGroup { start: 0, length: 0, first_digit: 0, separator: 0 }; MAX_GROUPS],
        lengths: [0; MAX_GROUPS],
        count: 0,
        spaces_only: true,
        truncated: false,
    };

    /// The digits of the groups `k..m`.
    pub(super) fn digits(&self, group: usize, end_group: usize) -> &[u8] {
        let from = usize::from(self.groups[group].first_digit);
        let last = self.groups[end_group - 1];
        &self.digits[from..usize::from(last.first_digit + last.length)]
    }

    /// Whether the separators inside `k..m` are all the same, and which.
    pub(super) fn common_separator(&self, group: usize, end_group: usize) -> Option<u8> {
        let first = self.groups[group + 1].separator;
        self.groups[group + 1..end_group].iter().all(|g| g.separator == first).then_some(first)
    }

    pub(super) fn has_separators(&self, group: usize, separators: &[u8]) -> bool {
        separators.iter().enumerate().all(|(i, sep)| self.groups[group + 1 + i].separator == *sep)
    }
}

/// The number of digits from `i` on, at most slightly more than `MAX_DIGITS`.
#[inline]
pub(super) fn count_digits(bytes: &[u8], at: usize) -> usize {
    let mut j = at;
    while let Some(eight) = bytes.get(j..).and_then(|rest| rest.first_chunk()) {
        // A digit becomes its value; a byte above nine then has the highest bit set.
        let values = u64::from_le_bytes(*eight) ^ 0x3030_3030_3030_3030;
        let other = (((values & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        if other != 0 {
            return j - at + other.trailing_zeros() as usize / 8;
        }
        j += 8;
        if j - at > MAX_DIGITS {
            return j - at;
        }
    }
    j - at + bytes.get(j..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// Reads the run whose first group is at `start..end`.
pub(super) fn read_run(scan: &Scan<'_>, start: usize, end: usize, chain: &mut DigitRun) {
    let (mut from, mut to, mut separator, mut total) = (start, end, 0, 0);
    // `(212) …`, `(+44) …`.
    let mut open = scan.byte_before(start) == b'('
        || scan.byte_before(start) == b'+' && start > 1 && scan.bytes[start - 2] == b'(';
    loop {
        let slots = &mut chain.digits[total..];
        match (scan.bytes[from..].first_chunk::<16>(), slots.first_chunk_mut::<16>()) {
            (Some(bytes), Some(slots)) if to - from <= 16 => {
                *slots = (u128::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030_3030_3030_3030_3030).to_le_bytes();
            }
            _ => {
                for (slot, b) in slots.iter_mut().zip(&scan.bytes[from..to]) {
                    *slot = b - b'0';
                }
            }
        }
        chain.groups[chain.count] =
            DigitGroup { start: from as u32, length: (to - from) as u8, first_digit: total as u8, separator };
        chain.lengths[chain.count] = (to - from) as u8;
        chain.count += 1;
        total += to - from;
        if chain.count == MAX_GROUPS {
            chain.truncated = true;
            return;
        }
        let mut j = to + 1;
        separator = scan.byte_at(to);
        match separator {
            b' ' => {
                if scan.byte_at(j) == b'(' {
                    separator = b'(';
                    j += 1;
                } else if scan.byte_at(j) == b'-' && scan.byte_at(j + 1) == b' ' {
                    separator = b'-';
                    j += 2;
                }
            }
            // `card=4111+1111+1111+1111` in a query.
            b'+' if matches!(scan.byte_before(start), b'=' | b'+')
                && scan.byte_at(j).is_ascii_digit()
                && to - from > 1 =>
            {
                separator = b' '
            }
            b'-' if scan.byte_at(j) == b'(' => {
                separator = b'(';
                j += 1;
            }
            b'-' if scan.byte_at(j) == b' ' && scan.byte_before(to) != b' ' => j += 1,
            b'-' | b'.' | b'/' | b'(' => {}
            // A bracket that closes more than the run has opened is around the run.
            b')' if open => {
                open = false;
                if matches!(scan.byte_at(j), b' ' | b'-' | b'.') {
                    j += 1;
                }
            }
            _ => return,
        }
        open |= separator == b'(';
        let before = to;
        from = j;
        to = j + count_digits(scan.bytes, j).min(MAX_DIGITS);
        chain.truncated = total + (to - from) > MAX_DIGITS;
        let broken = to == from
            || chain.truncated
            || is_word(scan.byte_at(to)) && scan.byte_at(to) < 0x80 && !extension::has_extension(scan, to);
        let apart = matches!(separator, b' ' | b'(' | b')') || from > before + 2;
        if broken || apart && begins_identifier(scan, to) {
            return;
        }
        chain.spaces_only &= matches!(separator, b' ' | b'(' | b')');
    }
}

/// Whether the digits that end at `to` begin something with letters: an address, an identifier.
fn begins_identifier(scan: &Scan<'_>, to: usize) -> bool {
    match scan.byte_at(to) {
        b':' => is_word(scan.byte_at(to + 1)) || scan.byte_at(to + 1) == b':',
        b'-' | b'.' => {
            let digits = (1..6).take_while(|n| scan.byte_at(to + n).is_ascii_digit()).count();
            !extension::has_extension(scan, to + 1 + digits)
                && scan.bytes[to + 1..]
                    .iter()
                    .take(8)
                    .take_while(|b| b.is_ascii_alphanumeric())
                    .any(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}
