//! Checks of JSON text that are impossible once it is decoded.

/// 2⁵³ − 1 in decimal.
const MAX_SAFE_DIGITS: &[u8] = b"9007199254740991";

/// Whether valid JSON text contains an integer, written as one, beyond ±(2⁵³ − 1).
///
/// Decoding turns an integer of more than 64 bits into the nearest double. Afterwards it cannot be distinguished from a
/// number like `1e20`, which is meant as a double.
pub(super) fn has_unsafe_integer(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1),
            b'0'..=b'9' => {
                let end = run_end(bytes, at, |byte| byte.is_ascii_digit());
                let token_end =
                    run_end(bytes, end, |byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
                let digits = bytes.get(at..end).unwrap_or_default();
                // JSON has no leading zeros, so that the longer is the larger.
                let beyond = (digits.len(), digits) > (MAX_SAFE_DIGITS.len(), MAX_SAFE_DIGITS);
                if beyond && token_end == end {
                    return true;
                }
                at = token_end;
            }
            _ => at += 1,
        }
    }
    false
}

/// The number of levels of arrays and objects in valid JSON text.
pub(super) fn nesting_depth(json: &str) -> usize {
    let bytes = json.as_bytes();
    let (mut at, mut level, mut deepest) = (0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(bytes, at),
            b'[' | b'{' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The offset behind the closing quote of the string whose content begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

fn run_end(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| belongs(**byte)).count()
}
