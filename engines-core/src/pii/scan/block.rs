//! Sixty-four bytes at a time: where words are and where a rule may be anchored, as one bit per byte.
//!
//! The scanner then steps from bit to bit instead of from byte to byte, and need not guess where words end.

use wide::u8x16;

use super::class::{DIGIT, LOWER, UPPER, class};

/// How many bytes a block covers.
pub(crate) const SIZE: usize = 64;
const LANE: usize = 16;

/// One bit per byte of a block; the lowest is the first byte.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    /// Where it begins.
    pub(crate) base: usize,
    /// Letters, digits, `_`, anything outside ASCII.
    pub(crate) word: u64,
    /// Words, and bytes that some rule is anchored to.
    pub(crate) stop: u64,
    digit: u64,
    alpha: u64,
    upper: u64,
}

/// Whether each byte is one of `count` from `first` on.
#[inline]
fn range(x: u8x16, first: u8, count: u8) -> u8x16 {
    let offset = x - u8x16::splat(first);
    offset.min(u8x16::splat(count - 1)).simd_eq(offset)
}

#[inline]
fn is(x: u8x16, b: u8) -> u8x16 {
    x.simd_eq(u8x16::splat(b))
}

/// The highest bit of each byte of some lanes.
#[inline]
fn bits<const N: usize>(lanes: &[u8x16; N], mask: impl Fn(u8x16) -> u8x16) -> u64 {
    lanes.iter().rev().fold(0, |bits, x| bits << LANE | u64::from(mask(*x).to_bitmask()))
}

/// The lanes of a text that fills all of them but the last, and some of that.
#[inline]
fn short<const N: usize>(b: &[u8]) -> [u8x16; N] {
    let mut lanes = [u8x16::ZERO; N];
    let (whole, _) = b.as_chunks();
    for (lane, bytes) in lanes.iter_mut().zip(whole) {
        *lane = u8x16::new(*bytes);
    }
    lanes[N - 1] = match b.last_chunk() {
        // Its last bytes are there already, behind others.
        Some(last) => u8x16::new((u128::from_le_bytes(*last) >> (8 * (N * LANE - b.len()))).to_le_bytes()),
        None => u8x16::new(b.iter().rev().fold(0, |bytes, b| bytes << 8 | u128::from(*b)).to_le_bytes()),
    };
    lanes
}

impl Block {
    /// The block that begins at `base`; what lies beyond the end of `b` reads as zeros.
    pub(crate) fn at(b: &[u8], base: usize) -> Self {
        if base >= b.len() {
            return Self { base, word: 0, stop: 0, digit: 0, alpha: 0, upper: 0 };
        }
        if let Some(whole) = b.get(base..).and_then(|rest| rest.first_chunk()) {
            return Self::whole(whole, base, 0);
        }
        if let Some(last) = b.last_chunk() {
            return Self::whole(last, base, (base + SIZE - b.len()) as u32);
        }
        match b.len().div_ceil(LANE) {
            0..=1 => Self::of(&short::<1>(b), base, base as u32),
            2 => Self::of(&short::<2>(b), base, base as u32),
            3 => Self::of(&short::<3>(b), base, base as u32),
            _ => Self::of(&short::<4>(b), base, base as u32),
        }
    }

    /// The block over 64 bytes without the first `before`.
    #[inline(never)]
    fn whole(window: &[u8; SIZE], base: usize, before: u32) -> Self {
        let (x, _) = window.as_chunks();
        Self::of(&[u8x16::new(x[0]), u8x16::new(x[1]), u8x16::new(x[2]), u8x16::new(x[3])], base, before)
    }

    #[inline]
    fn of<const N: usize>(x: &[u8x16; N], base: usize, before: u32) -> Self {
        let digit = bits(x, |x| range(x, b'0', 10));
        let alpha = bits(x, |x| range(x | u8x16::splat(0x20), b'a', 26));
        let upper = bits(x, |x| range(x, b'A', 26));
        // `[` and `\\`, `%` and `&`: neighbours.
        let anchor = bits(x, |x| is(x, b'@') | range(x, b'[', 2) | range(x, b'%', 2));
        // `-`, `.`, `/` and `:`, with the digits between them.
        let joint = bits(x, |x| range(x, b'-', 14)) & !digit;
        let word = digit | alpha | bits(x, |x| x | is(x, b'_'));
        // A colon matters before `//` or `:`, a hyphen before another; what follows the last byte is not known.
        let next = |mask: u64| mask >> 1 | 1 << (SIZE - 1);
        let stop = word | anchor | joint & next(joint);
        let rest = |mask: u64| mask >> before;
        Self { base, word: rest(word), stop: rest(stop), digit: rest(digit), alpha: rest(alpha), upper: rest(upper) }
    }

    /// Whether the bytes of `inside`, shifted down by `shift`, are letters of ASCII only.
    #[inline]
    pub(crate) fn plain(&self, shift: usize, inside: u64) -> bool {
        !self.alpha >> shift & inside == 0
    }

    /// Whether they are digits only.
    #[inline]
    pub(crate) fn digits(&self, shift: usize, inside: u64) -> bool {
        !self.digit >> shift & inside == 0
    }

    /// The capitals among them.
    #[inline]
    pub(crate) fn capitals(&self, shift: usize, inside: u64) -> u64 {
        self.upper >> shift & inside
    }

    /// What there is among them, which are bytes of `b`.
    #[inline]
    pub(crate) fn flags(&self, b: &[u8], shift: usize, inside: u64) -> u8 {
        let any = |mask: u64, flag: u8| if mask >> shift & inside == 0 { 0 } else { flag };
        let plain = any(self.digit, DIGIT) | any(self.upper, UPPER) | any(self.alpha & !self.upper, LOWER);
        if (self.word & !self.digit & !self.alpha) >> shift & inside == 0 {
            return plain;
        }
        // `_` and what is outside ASCII are rare.
        let from = self.base + shift;
        let word = b.get(from..from + (u64::BITS - inside.leading_zeros()) as usize).unwrap_or_default();
        word.iter().fold(plain, |flags, b| flags | class(*b))
    }
}

/// Whether a text has bytes that may need decoding: any outside ASCII, `\\`, `%`, `&`. Most have none.
#[inline]
pub(crate) fn suspicious(b: &[u8]) -> bool {
    let odd = |x: u8x16| x | is(x, b'\\') | range(x, b'%', 2);
    let (lanes, _) = b.as_chunks::<LANE>();
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
pub(crate) fn next_odd(b: &[u8], from: usize) -> usize {
    let odd = |x: u8x16| x.max(u8x16::splat(0xc2)).simd_eq(x) | is(x, b'\\') | range(x, b'%', 2);
    position(b, from, odd, |b| *b >= 0xc2 || matches!(*b, b'\\' | b'%' | b'&'))
}

/// The first byte from `from` on that ends a run of plain characters of a JSON string: `"`, `\\`, control characters.
#[inline]
pub(crate) fn next_quoted(b: &[u8], from: usize) -> usize {
    let special = |x: u8x16| is(x, b'"') | is(x, b'\\') | x.min(u8x16::splat(0x1f)).simd_eq(x);
    position(b, from, special, |b| matches!(*b, 0..0x20 | b'"' | b'\\'))
}

/// The first byte from `from` on for which `lane`, or `one`, says so; the length of `b` if there is none.
#[inline]
fn position(b: &[u8], from: usize, lane: impl Fn(u8x16) -> u8x16, one: impl Fn(&u8) -> bool) -> usize {
    let mut i = from;
    while let Some(chunk) = b.get(i..).and_then(|rest| rest.first_chunk()) {
        let found = lane(u8x16::new(*chunk)).to_bitmask();
        if found != 0 {
            return i + found.trailing_zeros() as usize;
        }
        i += LANE;
    }
    match b.last_chunk() {
        // The last bytes again, without those that were looked at.
        Some(last) if i < b.len() => {
            let found = lane(u8x16::new(*last)).to_bitmask() >> (i + LANE - b.len());
            if found == 0 { b.len() } else { i + found.trailing_zeros() as usize }
        }
        _ => b.get(i..).and_then(|rest| rest.iter().position(one)).map_or(b.len(), |k| i + k),
    }
}

/// Where the run of bytes from `from` on ends that can stand in a value without quotes.
#[inline]
pub(crate) fn value_end(b: &[u8], from: usize) -> usize {
    let ends = |x: u8x16| {
        is(x, b' ')
            | range(x, b'\t', 2)
            | is(x, b'\r')
            | is(x, 0)
            | is(x, b'"')
            | is(x, b'\'')
            | is(x, b'`')
            | is(x | u8x16::splat(2), b'>')
            | is(x, b'\\')
    };
    let end = |b: &u8| matches!(b, 0 | b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\');
    position(b, from, ends, end)
}

/// Where the run of letters and digits of ASCII from `from` on ends, and of `more` bytes.
#[inline]
pub(crate) fn run_end<const N: usize>(b: &[u8], from: usize, more: [u8; N]) -> usize {
    let others = |x: u8x16| {
        let inside = range(x | u8x16::splat(0x20), b'a', 26) | range(x, b'0', 10);
        !more.iter().fold(inside, |inside, b| inside | is(x, *b))
    };
    position(b, from, others, |b| !(b.is_ascii_alphanumeric() || more.contains(b)))
}

/// Whether `b[start..end]` is fewer than sixteen letters of ASCII and `_`.
#[inline]
pub(crate) fn is_name(b: &[u8], start: usize, end: usize) -> bool {
    let len = end - start;
    if len >= LANE {
        return false;
    }
    match b.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => {
            let x = u8x16::new(*chunk);
            let letters = range(x | u8x16::splat(0x20), b'a', 26) | is(x, b'_');
            !letters.to_bitmask() & ((1 << len) - 1) == 0
        }
        None => b[start..end].iter().all(|b| b.is_ascii_alphabetic() || *b == b'_'),
    }
}

/// The bytes of `b[start..end]`, which are fewer than sixteen, as one number.
#[inline]
pub(crate) fn packed(b: &[u8], start: usize, end: usize) -> u128 {
    match b.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => u128::from_le_bytes(*chunk) & ((1 << (8 * (end - start))) - 1),
        None => b[start..end].iter().rev().fold(0, |bytes, b| bytes << 8 | u128::from(*b)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::class::{ALPHA, CLASS, WORD};
    use super::*;

    /// Every byte, and every byte before what gives it a meaning.
    fn samples() -> Vec<u8> {
        (0..=255).chain(*b"a://b::c--d-e:f[g").chain((0..=255).flat_map(|b| [b, b':', b'-', b'/'])).collect()
    }

    #[test]
    fn blocks_say_what_the_table_says() {
        for text in [&samples()[..], b"a:", b"", b"0123456789abcdef", b"0123456789abcdef-"] {
            for base in (0..text.len() + SIZE).step_by(SIZE) {
                let block = Block::at(text, base);
                for i in 0..SIZE {
                    let bit = |mask: u64| mask >> i & 1 != 0;
                    let Some(&b) = text.get(base + i) else {
                        assert!(!bit(block.stop));
                        continue;
                    };
                    let class = CLASS[usize::from(b)];
                    assert_eq!(bit(block.word), class & WORD != 0);
                    assert_eq!(block.flags(text, i, 1), class);
                    assert_eq!(block.plain(i, 1), class & ALPHA != 0);
                    assert_eq!(block.capitals(i, 1), u64::from(b.is_ascii_uppercase()));
                    // Behind the last byte of a block may be anything.
                    let next = text.get(base + i + 1).copied().filter(|_| i + 1 < SIZE);
                    let open = next.is_none() && text.len() - base != i + 1 || next.is_none() && text.len() >= SIZE;
                    let anchor = matches!(b, b'@' | b'[' | b'\\' | b'%' | b'&')
                        || matches!(b, b'-' | b'.' | b'/' | b':')
                            && (open || matches!(next, Some(b'-' | b'.' | b'/' | b':')));
                    assert_eq!(bit(block.stop), class & WORD != 0 || anchor, "{b}");
                }
            }
        }
    }

    #[test]
    fn suspicious_bytes_are_seen_wherever_they_are() {
        for len in 1..70 {
            assert!(!suspicious(&vec![b'$'; len]));
            for (at, odd) in (0..len).flat_map(|at| [b'\\', b'%', b'&', 0x80, 0xff].map(|odd| (at, odd))) {
                let mut text = vec![b'a'; len];
                text[at] = odd;
                assert!(suspicious(&text), "{odd} at {at} of {len}");
            }
        }
    }
}
