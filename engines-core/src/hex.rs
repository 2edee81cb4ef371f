//! Hexadecimal text with lower-case digits.

/// Returns two digits for each byte.
///
/// ```
/// assert_eq!(engines_core::hex::encode(&[0, 171]), "00ab");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| digits(*byte)).map(char::from).collect()
}

/// Returns the `N` bytes that `text` stands for. `None` when it has another length, or a character that is no
/// lower-case hexadecimal digit: each value has one text.
///
/// ```
/// use engines_core::hex::decode;
/// assert_eq!(decode("00ab"), Some([0, 171]));
/// assert_eq!(decode::<2>("00AB"), None);
/// assert_eq!(decode::<2>("ab"), None);
/// ```
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

/// Returns the two digits of a byte.
pub(crate) fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
