//! Blocks of sixty-four bytes, with one bit per byte for words and for anchors of rules.
//!
//! The scanner steps from bit to bit instead of from byte to byte, and need not search for the ends of words.

use wide::u8x16;

use super::byte_class::{DIGIT, LOWER, UPPER, class_of};

/// The number of bytes in a block.
pub(crate) const BLOCK_BYTES: usize = 64;
const LANE_BYTES: usize = 16;

/// One bit per byte of a block; the lowest is the first byte.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// The offset of the block's first byte.
    pub(crate) base: usize,
    /// Bytes of words: letters, digits, `_`, anything outside ASCII.
    pub(crate) word: u64,
    /// Bytes of words, and bytes that anchor a rule.
    pub(crate) stop: u64,
    digit: u64,
    alpha: u64,
    upper: u64,
}

/// Whether each byte is one of `count` from `first` on.
#[inline]
fn in_range(lanes: u8x16, first: u8, count: u8) -> u8x16 {
    let offset = lanes - u8x16::splat(first);
    offset.min(u8x16::splat(count - 1)).simd_eq(offset)
}

#[inline]
fn equals(lanes: u8x16, byte: u8) -> u8x16 {
    lanes.simd_eq(u8x16::splat(byte))
}

/// The highest bit of each byte of some lanes.
#[inline]
fn bit_mask<const N: usize>(lanes: &[u8x16; N], mask: impl Fn(u8x16) -> u8x16) -> u64 {
    lanes.iter().rev().fold(0, |bits, x| bits << LANE_BYTES | u64::from(mask(*x).to_bitmask()))
}

/// The lanes of a text that fills all of them except the last, and a part of that.
#[inline]
fn padded_lanes<const N: usize>(text: &[u8]) -> [u8x16; N] {
    let mut lanes = [u8x16::ZERO; N];
    let (whole, _) = text.as_chunks();
    for (lane, bytes) in lanes.iter_mut().zip(whole) {
        *lane = u8x16::new(*bytes);
    }
    lanes[N - 1] = match text.last_chunk() {
        // The last bytes are already there, behind others.
        Some(last) => u8x16::new((u128::from_le_bytes(*last) >> (8 * (N * LANE_BYTES - text.len()))).to_le_bytes()),
        None => u8x16::new(text.iter().rev().fold(0, |bytes, b| bytes << 8 | u128::from(*b)).to_le_bytes()),
    };
    lanes
}

impl Block {
    /// The block that begins at `base`; bytes beyond the end of `b` read as zeros.
    #[inline]
    pub(crate) fn at(bytes: &[u8], base: usize) -> Self {
        if base >= bytes.len() {
            return Self { base, word: 0, stop: 0, digit: 0, alpha: 0, upper: 0 };
        }
        if let Some(whole) = bytes.get(base..).and_then(|rest| rest.first_chunk()) {
            return Self::from_window(whole, base, 0);
        }
        if let Some(last) = bytes.last_chunk() {
            return Self::from_window(last, base, (base + BLOCK_BYTES - bytes.len()) as u32);
        }
        match bytes.len().div_ceil(LANE_BYTES) {
            0..=1 => Self::from_lanes(&padded_lanes::<1>(bytes), base, base as u32),
            2 => Self::from_lanes(&padded_lanes::<2>(bytes), base, base as u32),
            3 => Self::from_lanes(&padded_lanes::<3>(bytes), base, base as u32),
            _ => Self::from_lanes(&padded_lanes::<4>(bytes), base, base as u32),
        }
    }

    /// The block over 64 bytes without the first `before`.
    #[inline(never)]
    fn from_window(window: &[u8; BLOCK_BYTES], base: usize, before: u32) -> Self {
        let (x, _) = window.as_chunks();
        Self::from_lanes(&[u8x16::new(x[0]), u8x16::new(x[1]), u8x16::new(x[2]), u8x16::new(x[3])], base, before)
    }

    #[inline]
    fn from_lanes<const N: usize>(lanes: &[u8x16; N], base: usize, before: u32) -> Self {
        let digit = bit_mask(lanes, |x| in_range(x, b'0', 10));
        let alpha = bit_mask(lanes, |x| in_range(x | u8x16::splat(0x20), b'a', 26));
        let upper = bit_mask(lanes, |x| in_range(x, b'A', 26));
        // `[` and `\\`, `%` and `&`: neighbours.
        let anchor = bit_mask(lanes, |x| equals(x, b'@') | in_range(x, b'[', 2) | in_range(x, b'%', 2));
        // `-`, `.`, `/` and `:`, with the digits between them.
        let joint = bit_mask(lanes, |x| in_range(x, b'-', 14)) & !digit;
        let word = digit | alpha | bit_mask(lanes, |x| x | equals(x, b'_'));
        // A colon matters before `//` or `:`, a hyphen before another; what follows the last byte is not known.
        let next = |mask: u64| mask >> 1 | 1 << (BLOCK_BYTES - 1);
        let stop = word | anchor | joint & next(joint);
        let rest = |mask: u64| mask >> before;
        Self { base, word: rest(word), stop: rest(stop), digit: rest(digit), alpha: rest(alpha), upper: rest(upper) }
    }

    /// Whether the bytes of `inside`, shifted down by `shift`, are only ASCII letters.
    #[inline]
    pub(crate) fn letters_only(&self, shift: usize, inside: u64) -> bool {
        !self.alpha >> shift & inside == 0
    }

    /// Whether the bytes are only digits.
    #[inline]
    pub(crate) fn digits_only(&self, shift: usize, inside: u64) -> bool {
        !self.digit >> shift & inside == 0
    }

    /// The capitals among the bytes.
    #[inline]
    pub(crate) fn capitals(&self, shift: usize, inside: u64) -> u64 {
        self.upper >> shift & inside
    }

    /// The classes of the bytes of `b`.
    #[inline]
    pub(crate) fn flags(&self, bytes: &[u8], shift: usize, inside: u64) -> u8 {
        let any = |mask: u64, flag: u8| if mask >> shift & inside == 0 { 0 } else { flag };
        let plain = any(self.digit, DIGIT) | any(self.upper, UPPER) | any(self.alpha & !self.upper, LOWER);
        if (self.word & !self.digit & !self.alpha) >> shift & inside == 0 {
            return plain;
        }
        // `_` and what is outside ASCII are rare.
        let from = self.base + shift;
        let word = bytes.get(from..from + (u64::BITS - inside.leading_zeros()) as usize).unwrap_or_default();
        word.iter().fold(plain, |flags, b| flags | class_of(*b))
    }
}

/// Whether a text has bytes that may need decoding: any outside ASCII, `\\`, `%`, `&`. Most texts have none.
#[inline]
pub(crate) fn may_need_decoding(b: &[u8]) -> bool {
    let odd = |x: u8x16| x | equals(x, b'\\') | in_range(x, b'%', 2);
    let (lanes, _) = b.as_chunks::<LANE_BYTES>();
    let all = lanes.iter().fold(u8x16::ZERO, |all, lane| all | odd(u8x16::new(*lane)));
    // The last bytes again with those before them, or alone in a short text.
    let tail = match b.last_chunk() {
        Some(last) => u8x16::new(*last),
        None => u8x16::new(b.iter().rev().fold(0, |bytes, b| bytes << 8 | u128::from(*b)).to_le_bytes()),
    };
    (all | odd(tail)).to_bitmask() != 0
}

/// The first byte from `from` on that may need decoding: the beginning of a character outside ASCII, `\\`, `%`, `&`.
#[inline]
pub(crate) fn next_encoded(bytes: &[u8], from: usize) -> usize {
    let odd = |x: u8x16| x.max(u8x16::splat(0xc2)).simd_eq(x) | equals(x, b'\\') | in_range(x, b'%', 2);
    find_byte(bytes, from, odd, |b| *b >= 0xc2 || matches!(*b, b'\\' | b'%' | b'&'))
}

/// The first byte from `from` on that ends a run of plain characters of a JSON string: `"`, `\\`, control characters.
#[inline]
pub(crate) fn next_json_special(bytes: &[u8], from: usize) -> usize {
    let special = |x: u8x16| equals(x, b'"') | equals(x, b'\\') | x.min(u8x16::splat(0x1f)).simd_eq(x);
    find_byte(bytes, from, special, |b| matches!(*b, 0..0x20 | b'"' | b'\\'))
}

/// The first byte from `from` on for which `lane` or `one` is true; the length of `b` if there is none.
#[inline]
fn find_byte(text: &[u8], from: usize, lane: impl Fn(u8x16) -> u8x16, one: impl Fn(&u8) -> bool) -> usize {
    let mut i = from;
    while let Some(chunk) = text.get(i..).and_then(|rest| rest.first_chunk()) {
        let found = lane(u8x16::new(*chunk)).to_bitmask();
        if found != 0 {
            return i + found.trailing_zeros() as usize;
        }
        i += LANE_BYTES;
    }
    match text.last_chunk() {
        // The last bytes again, without those already examined.
        Some(last) if i < text.len() => {
            let found = lane(u8x16::new(*last)).to_bitmask() >> (i + LANE_BYTES - text.len());
            if found == 0 { text.len() } else { i + found.trailing_zeros() as usize }
        }
        _ => text.get(i..).and_then(|rest| rest.iter().position(one)).map_or(text.len(), |k| i + k),
    }
}

/// The end of the run of bytes from `from` on that can stand in an unquoted value.
#[inline]
pub(crate) fn value_end(bytes: &[u8], from: usize) -> usize {
    let ends = |x: u8x16| {
        equals(x, b' ')
            | in_range(x, b'\t', 2)
            | equals(x, b'\r')
            | equals(x, 0)
            | equals(x, b'"')
            | equals(x, b'\'')
            | equals(x, b'`')
            | equals(x | u8x16::splat(2), b'>')
            | equals(x, b'\\')
    };
    let end = |b: &u8| matches!(b, 0 | b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\');
    find_byte(bytes, from, ends, end)
}

/// The end of the run of ASCII letters, ASCII digits and bytes of `more` from `from` on.
#[inline]
pub(crate) fn run_end<const N: usize>(bytes: &[u8], from: usize, more: [u8; N]) -> usize {
    let others = |x: u8x16| {
        let inside = in_range(x | u8x16::splat(0x20), b'a', 26) | in_range(x, b'0', 10);
        !more.iter().fold(inside, |inside, b| inside | equals(x, *b))
    };
    find_byte(bytes, from, others, |b| !(b.is_ascii_alphanumeric() || more.contains(b)))
}

/// Whether `b[start..end]` is fewer than sixteen letters of ASCII and `_`.
#[inline]
pub(crate) fn is_short_name(bytes: &[u8], start: usize, end: usize) -> bool {
    let len = end - start;
    if len >= LANE_BYTES {
        return false;
    }
    match bytes.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => {
            let x = u8x16::new(*chunk);
            let letters = in_range(x | u8x16::splat(0x20), b'a', 26) | equals(x, b'_');
            !letters.to_bitmask() & ((1 << len) - 1) == 0
        }
        None => bytes[start..end].iter().all(|b| b.is_ascii_alphabetic() || *b == b'_'),
    }
}

/// The bytes of `b[start..end]`, which are fewer than sixteen, as one number.
#[inline]
pub(crate) fn pack_name(text: &[u8], start: usize, end: usize) -> u128 {
    match text.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => u128::from_le_bytes(*chunk) & ((1 << (8 * (end - start))) - 1),
        None => text[start..end].iter().rev().fold(0, |bytes, b| bytes << 8 | u128::from(*b)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::byte_class::{ALPHA, CLASS, WORD};
    use super::*;

    /// Tests every byte value, and every byte before a byte that gives it a meaning.
    fn samples() -> Vec<u8> {
        (0..=255).chain(*b"a://b::c--d-e:f[g").chain((0..=255).flat_map(|b| [b, b':', b'-', b'/'])).collect()
    }

    #[test]
    fn block_bits_match_the_byte_class_table() {
        for text in [&samples()[..], b"a:", b"", b"0123456789abcdef", b"0123456789abcdef-"] {
            for base in (0..text.len() + BLOCK_BYTES).step_by(BLOCK_BYTES) {
                let block = Block::at(text, base);
                for i in 0..BLOCK_BYTES {
                    let bit = |mask: u64| mask >> i & 1 != 0;
                    let Some(&b) = text.get(base + i) else {
                        assert!(!bit(block.stop));
                        continue;
                    };
                    let class = CLASS[usize::from(b)];
                    assert_eq!(bit(block.word), class & WORD != 0);
                    assert_eq!(block.flags(text, i, 1), class);
                    assert_eq!(block.letters_only(i, 1), class & ALPHA != 0);
                    assert_eq!(block.capitals(i, 1), u64::from(b.is_ascii_uppercase()));
                    // Any byte may follow the last byte of a block.
                    let next = text.get(base + i + 1).copied().filter(|_| i + 1 < BLOCK_BYTES);
                    let open =
                        next.is_none() && text.len() - base != i + 1 || next.is_none() && text.len() >= BLOCK_BYTES;
                    let anchor = matches!(b, b'@' | b'[' | b'\\' | b'%' | b'&')
                        || matches!(b, b'-' | b'.' | b'/' | b':')
                            && (open || matches!(next, Some(b'-' | b'.' | b'/' | b':')));
                    assert_eq!(bit(block.stop), class & WORD != 0 || anchor, "{b}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_may_need_decoding_are_found_at_every_position() {
        for len in 1..70 {
            assert!(!may_need_decoding(&vec![b'$'; len]));
            for (at, odd) in (0..len).flat_map(|at| [b'\\', b'%', b'&', 0x80, 0xff].map(|odd| (at, odd))) {
                let mut text = vec![b'a'; len];
                text[at] = odd;
                assert!(may_need_decoding(&text), "{odd} at {at} of {len}");
            }
        }
    }
}
