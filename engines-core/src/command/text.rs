//! Converts positions in text from Unicode scalar values, which the wire uses, to bytes.

/// Bytes counted at a time; small enough that the final search, character by character, is short.
const CHUNK_BYTES: usize = 128;

/// The byte offset of the `pos`-th character; the text's length for the position after the last character, `None`
/// beyond it.
///
/// If everything before the position is ASCII, this is a scan for a set high bit; otherwise character starts are
/// counted one chunk at a time. Nothing is allocated.
pub(super) fn byte_offset(text: &str, pos: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // A character takes at least one byte.
    if bytes.get(..pos)?.is_ascii() {
        return Some(pos);
    }
    let mut left = pos;
    let mut start = 0;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        let here = chunk.iter().filter(|byte| starts_character(**byte)).count();
        if here > left {
            let nth = chunk.iter().enumerate().filter(|(_, byte)| starts_character(**byte)).nth(left);
            return nth.map(|(at, _)| start + at);
        }
        left -= here;
        start += chunk.len();
    }
    (left == 0).then_some(bytes.len())
}

/// The byte range of `len` characters from the `pos`-th on; `None` if the text ends before.
pub(super) fn byte_range(text: &str, pos: usize, len: usize) -> Option<std::ops::Range<usize>> {
    let start = byte_offset(text, pos)?;
    let end = start + byte_offset(text.get(start..)?, len)?;
    Some(start..end)
}

/// Whether a byte of UTF-8 is a character's first: all but `10xxxxxx`.
const fn starts_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}
