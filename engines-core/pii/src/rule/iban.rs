//! International bank account numbers (ISO 13616): the length and shape of each country, and MOD 97-10.

use crate::entity::EntityKind;
use crate::scan::Scan;
use crate::scan::byte_class::{is_alnum, is_word};

/// Country, length, and the shape of the domestic part as runs: `n` digits, `a` capitals, `c` both (SWIFT IBAN
/// registry).
const COUNTRIES: &[(&[u8; 2], u8, &str)] = &[
    (b"AD", 24, "n8c12"),
    (b"AE", 23, "n19"),
    (b"AL", 28, "n8c16"),
    (b"AT", 20, "n16"),
    (b"AZ", 28, "a4c20"),
    (b"BA", 20, "n16"),
    (b"BE", 16, "n12"),
    (b"BG", 22, "a4n6c8"),
    (b"BH", 22, "a4c14"),
    (b"BI", 27, "n23"),
    (b"BR", 29, "n23a1c1"),
    (b"BY", 28, "c4n4c16"),
    (b"CH", 21, "n5c12"),
    (b"CR", 22, "n18"),
    (b"CY", 28, "n8c16"),
    (b"CZ", 24, "n20"),
    (b"DE", 22, "n18"),
    (b"DJ", 27, "n23"),
    (b"DK", 18, "n14"),
    (b"DO", 28, "c4n20"),
    (b"EE", 20, "n16"),
    (b"EG", 29, "n25"),
    (b"ES", 24, "n20"),
    (b"FI", 18, "n14"),
    (b"FK", 18, "a2n12"),
    (b"FO", 18, "n14"),
    (b"FR", 27, "n10c11n2"),
    (b"GB", 22, "a4n14"),
    (b"GE", 22, "a2n16"),
    (b"GI", 23, "a4c15"),
    (b"GL", 18, "n14"),
    (b"GR", 27, "n7c16"),
    (b"GT", 28, "c24"),
    (b"HN", 28, "a4n20"),
    (b"HR", 21, "n17"),
    (b"HU", 28, "n24"),
    (b"IE", 22, "a4n14"),
    (b"IL", 23, "n19"),
    (b"IQ", 23, "a4n15"),
    (b"IS", 26, "n22"),
    (b"IT", 27, "a1n10c12"),
    (b"JO", 30, "a4n4c18"),
    (b"KW", 30, "a4c22"),
    (b"KZ", 20, "n3c13"),
    (b"LB", 28, "n4c20"),
    (b"LC", 32, "a4c24"),
    (b"LI", 21, "n5c12"),
    (b"LT", 20, "n16"),
    (b"LU", 20, "n3c13"),
    (b"LV", 21, "a4c13"),
    (b"LY", 25, "n21"),
    (b"MC", 27, "n10c11n2"),
    (b"MD", 24, "c20"),
    (b"ME", 22, "n18"),
    (b"MK", 19, "n3c10n2"),
    (b"MN", 20, "n16"),
    (b"MR", 27, "n23"),
    (b"MT", 31, "a4n5c18"),
    (b"MU", 30, "a4n19a3"),
    (b"NI", 28, "a4n20"),
    (b"NL", 18, "a4n10"),
    (b"NO", 15, "n11"),
    (b"OM", 23, "n3c16"),
    (b"PK", 24, "a4c16"),
    (b"PL", 28, "n24"),
    (b"PS", 29, "a4c21"),
    (b"PT", 25, "n21"),
    (b"QA", 29, "a4c21"),
    (b"RO", 24, "a4c16"),
    (b"RS", 22, "n18"),
    (b"RU", 33, "n14c15"),
    (b"SA", 24, "n2c18"),
    (b"SC", 31, "a4n20a3"),
    (b"SD", 18, "n14"),
    (b"SE", 24, "n20"),
    (b"SI", 19, "n15"),
    (b"SK", 24, "n20"),
    (b"SM", 27, "a1n10c12"),
    (b"SO", 23, "n19"),
    (b"ST", 25, "n21"),
    (b"SV", 28, "a4n20"),
    (b"TL", 23, "n19"),
    (b"TN", 24, "n20"),
    (b"TR", 26, "n6c16"),
    (b"UA", 29, "n6c19"),
    (b"VA", 22, "n18"),
    (b"VG", 24, "a4n16"),
    (b"XK", 20, "n16"),
    (b"YE", 30, "a4n4c18"),
];

/// For two capitals, which of the countries, counted from 1.
static INDEX: [u8; 26 * 26] = {
    let mut index = [0; 26 * 26];
    let mut i = 0;
    while i < COUNTRIES.len() {
        let [a, b] = *COUNTRIES[i].0;
        index[(a - b'A') as usize * 26 + (b - b'A') as usize] = i as u8 + 1;
        i += 1;
    }
    index
};

/// The length of an IBAN of a country, and its shape.
fn country(code: [u8; 2]) -> Option<(usize, &'static str)> {
    let [a, b] = code.map(|letter| usize::from(letter.wrapping_sub(b'A')));
    if a >= 26 || b >= 26 {
        return None;
    }
    let at = usize::from(INDEX[a * 26 + b]).checked_sub(1)?;
    COUNTRIES.get(at).map(|(_, len, shape)| (usize::from(*len), *shape))
}

/// Whether two letters are a country that has IBANs; also used for BICs of such.
pub(crate) fn has_iban(code: [u8; 2]) -> bool {
    country(code).is_some()
}

/// A word at `start` begins with two letters and two digits.
pub(crate) fn iban(scan: &mut Scan<'_>, start: usize) -> Option<usize> {
    let head = scan.bytes.get(start..start + 4)?;
    if !(head[0].is_ascii_alphabetic()
        && head[1].is_ascii_alphabetic()
        && head[2].is_ascii_digit()
        && head[3].is_ascii_digit())
    {
        return None;
    }
    let upper = head[0].is_ascii_uppercase();
    let code = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let (len, shape) = country(code)?;
    let mut compact = [0_u8; 34];
    let (mut n, mut i) = (0, start);
    let mut separator = 0;
    let mut since = 0;
    let mut runs = ShapeReader { shape: shape.as_bytes(), class: 0, remaining: 0 };
    while n < len {
        let b = scan.byte_at(i);
        if is_alnum(b) {
            if n >= 4 && !runs.accept(b) {
                return None;
            }
            if b.is_ascii_alphabetic() && b.is_ascii_uppercase() != upper && n < 2 {
                return None;
            }
            compact[n] = b.to_ascii_uppercase();
            n += 1;
            i += 1;
            since += 1;
        } else if (b == b' ' || b == b'-' || b == b'.')
            && since >= 2
            && is_alnum(scan.byte_at(i + 1))
            && (separator == 0 || separator == b)
        {
            separator = b;
            since = 0;
            i += 1;
        } else {
            return None;
        }
    }
    if is_word(scan.byte_at(i)) || !runs.is_complete() || remainder(&compact[..len]) != 1 {
        return None;
    }
    Some(scan.add_finding(EntityKind::IbanCode, start, i, 100))
}

/// What is left of a shape.
struct ShapeReader<'s> {
    shape: &'s [u8],
    class: u8,
    /// How many characters of that class.
    remaining: usize,
}

impl ShapeReader<'_> {
    /// Whether a letter or digit is the next of the shape.
    fn accept(&mut self, byte: u8) -> bool {
        if self.remaining == 0 {
            let Some((&class, rest)) = self.shape.split_first() else { return false };
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            self.class = class;
            self.remaining = rest[..digits].iter().fold(0, |n, b| n * 10 + usize::from(b - b'0'));
            self.shape = &rest[digits..];
        }
        self.remaining = self.remaining.saturating_sub(1);
        match self.class {
            b'n' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            _ => true,
        }
    }

    /// Whether all of it was there.
    fn is_complete(&self) -> bool {
        self.remaining == 0 && self.shape.is_empty()
    }
}

/// The IBAN modulo 97; 1 when it is right.
fn remainder(compact: &[u8]) -> u32 {
    let add = |r: u64, b: &u8| match b {
        b'0'..=b'9' => r * 10 + u64::from(b - b'0'),
        _ => r * 100 + u64::from(b - b'A') + 10,
    };
    // Eight characters are sixteen digits at most.
    let parts = compact[4..].chunks(8).chain([&compact[..4]]);
    parts.fold(0, |r, part| part.iter().fold(r, add) % 97) as u32
}
