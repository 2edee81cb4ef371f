//! Check digits. Every function takes digits as values 0 to 9.

/// Luhn (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &x)| {
            let x = u32::from(x);
            if i % 2 == 0 {
                x
            } else if x > 4 {
                2 * x - 9
            } else {
                2 * x
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The sum of digits times weights; the shorter of both counts.
pub(crate) fn weighted_sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(&x, w)| u32::from(x) * w).sum()
}

/// A number of at most 19 digits.
pub(crate) fn digits_value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |n, &x| n * 10 + u64::from(x))
}

/// ISO 7064 MOD 11,10 (German tax id, Croatian OIB).
pub(crate) fn mod11_10(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else { return false };
    let mut p = 10;
    for &x in body {
        let t = (u32::from(x) + p) % 10;
        p = if t == 0 { 10 } else { t } * 2 % 11;
    }
    (11 - p) % 10 == u32::from(check)
}

const VERHOEFF_MULTIPLICATION: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];
const VERHOEFF_PERMUTATION: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Verhoeff (Aadhaar).
pub(crate) fn verhoeff(digits: &[u8]) -> bool {
    let c = digits.iter().rev().enumerate().fold(0_u8, |c, (i, &x)| {
        VERHOEFF_MULTIPLICATION[usize::from(c)][usize::from(VERHOEFF_PERMUTATION[i % 8][usize::from(x)])]
    });
    c == 0
}

/// Whether a day of a month exists; a year of 0 counts as a leap year.
pub(crate) fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Two digits as a number.
pub(crate) fn two_digits(digits: &[u8], at: usize) -> u32 {
    u32::from(digits[at]) * 10 + u32::from(digits[at + 1])
}

/// Whether all digits are the same, as in examples and placeholders.
pub(crate) fn all_same(digits: &[u8]) -> bool {
    digits.windows(2).all(|w| w[0] == w[1])
}
