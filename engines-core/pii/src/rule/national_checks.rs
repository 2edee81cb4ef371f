//! Check digits of national numbers that are labelled `NATIONAL_ID`.

use super::check_digits::{all_same, digits_value, is_date, luhn, mod11_10, two_digits, weighted_sum};

/// AMKA of Greece: date of birth, Luhn.
pub(super) fn amka(digits: &[u8]) -> bool {
    is_date(0, two_digits(digits, 2), two_digits(digits, 0)) && luhn(digits)
}

/// AFM of Greece.
pub(super) fn afm(digits: &[u8]) -> bool {
    weighted_sum(&digits[..8], &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == u32::from(digits[8]) && !all_same(digits)
}

/// INN of persons in Russia.
pub(super) fn inn12(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    weighted_sum(&digits[..10], &WEIGHTS[1..]) % 11 % 10 == u32::from(digits[10])
        && weighted_sum(&digits[..11], &WEIGHTS) % 11 % 10 == u32::from(digits[11])
        && !all_same(digits)
}

/// INN of firms in Russia.
pub(super) fn inn10(digits: &[u8]) -> bool {
    weighted_sum(&digits[..9], &[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == u32::from(digits[9]) && !all_same(digits)
}

/// SNILS of Russia.
pub(super) fn snils(digits: &[u8]) -> bool {
    let sum = weighted_sum(&digits[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101;
    sum % 100 == two_digits(digits, 9) && !all_same(&digits[..9])
}

/// Tax numbers of persons in Ukraine; the first weight is −1.
pub(super) fn ua_tax(digits: &[u8]) -> bool {
    weighted_sum(&digits[..9], &[10, 5, 7, 9, 4, 6, 10, 5, 7]) % 11 % 10 == u32::from(digits[9]) && !all_same(digits)
}

/// Identity numbers of Israel.
pub(super) fn israel(digits: &[u8]) -> bool {
    luhn(digits) && !all_same(digits)
}

/// EGN of Bulgaria: the month says the century.
pub(super) fn egn(digits: &[u8]) -> bool {
    let month = two_digits(digits, 2);
    let month = month
        - if month > 40 {
            40
        } else if month > 20 {
            20
        } else {
            0
        };
    is_date(0, month, two_digits(digits, 4))
        && weighted_sum(&digits[..9], &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == u32::from(digits[9])
}

/// OIB of Croatia.
pub(super) fn oib(digits: &[u8]) -> bool {
    mod11_10(digits) && !all_same(digits)
}

/// JMBG and EMŠO.
pub(super) fn jmbg(digits: &[u8]) -> bool {
    let check = (11 - weighted_sum(&digits[..12], &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    is_date(0, two_digits(digits, 2), two_digits(digits, 0))
        && matches!(digits[4], 8 | 9 | 0)
        && check % 10 == u32::from(digits[12])
        && check < 10
}

/// Personal codes of Estonia and Lithuania.
pub(super) fn baltic(digits: &[u8]) -> bool {
    let first = weighted_sum(&digits[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = if first < 10 { first } else { weighted_sum(&digits[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 };
    matches!(digits[0], 1..=8)
        && is_date(0, two_digits(digits, 3), two_digits(digits, 5))
        && check == u32::from(digits[10])
}

/// Personal codes of Latvia, also those without a date.
pub(super) fn latvia(digits: &[u8]) -> bool {
    if two_digits(digits, 0) == 32 {
        return true;
    }
    let sum = 1 + weighted_sum(&digits[..10], &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    is_date(0, two_digits(digits, 2), two_digits(digits, 0)) && sum % 11 % 10 == u32::from(digits[10])
}

/// Kennitala of Iceland.
pub(super) fn kennitala(digits: &[u8]) -> bool {
    let day = two_digits(digits, 0) % 40;
    let check = (11 - weighted_sum(&digits[..8], &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    is_date(0, two_digits(digits, 2), day) && check == u32::from(digits[8]) && matches!(digits[9], 0 | 8 | 9)
}

/// NIK of Indonesia: a province, a date (the day of women has 40 more).
pub(super) fn nik(digits: &[u8]) -> bool {
    matches!(two_digits(digits, 0), 11..=21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97)
        && is_date(0, two_digits(digits, 8), two_digits(digits, 6) % 40)
        && digits_value(&digits[12..]) != 0
}

/// MyKad of Malaysia: a date and a place of birth.
pub(super) fn mykad(digits: &[u8]) -> bool {
    is_date(0, two_digits(digits, 2), two_digits(digits, 4))
        && matches!(two_digits(digits, 6), 1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99)
}

/// CNIC of Pakistan: a province.
pub(super) fn cnic(digits: &[u8]) -> bool {
    matches!(digits[0], 1..=7) && !all_same(digits)
}

/// CUIT and CUIL of Argentina.
pub(super) fn cuit(digits: &[u8]) -> bool {
    let check = (11 - weighted_sum(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    matches!(two_digits(digits, 0), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34) && check.min(9) == u32::from(digits[10])
}

/// RUT of Chile with a digit as its check: eight or nine digits.
pub(super) fn rut(digits: &[u8]) -> bool {
    let Some((&check, body)) = digits.split_last() else { return false };
    rut_check(body) == u32::from(check)
}

/// The check of a RUT: 0 to 9, or 10 for K.
pub(super) fn rut_check(body: &[u8]) -> u32 {
    let sum: u32 = body.iter().rev().zip([2, 3, 4, 5, 6, 7].into_iter().cycle()).map(|(x, w)| u32::from(*x) * w).sum();
    (11 - sum % 11) % 11
}

/// NIT of Colombia.
pub(super) fn nit(digits: &[u8]) -> bool {
    let sum = weighted_sum(&digits[..9], &[41, 37, 29, 23, 19, 17, 13, 7, 3]) % 11;
    (if sum > 1 { 11 - sum } else { sum }) == u32::from(digits[9])
}

/// Cédula of Ecuador.
pub(super) fn ecuador(digits: &[u8]) -> bool {
    matches!(two_digits(digits, 0), 1..=24 | 30) && digits[2] < 6 && luhn(digits)
}

/// Cédula of the Dominican Republic.
pub(super) fn dominican(digits: &[u8]) -> bool {
    luhn(digits) && digits_value(&digits[..3]) < 500 && !all_same(digits)
}

/// Social insurance numbers of Austria.
pub(super) fn svnr(digits: &[u8]) -> bool {
    digits[0] != 0
        && weighted_sum(digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == u32::from(digits[3])
        && (1..=31).contains(&two_digits(digits, 4))
        && (1..=15).contains(&two_digits(digits, 6))
}

/// Unique taxpayer references of the United Kingdom.
pub(super) fn utr(digits: &[u8]) -> bool {
    let sum = weighted_sum(&digits[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    u32::from(b"21987654321"[sum as usize] - b'0') == u32::from(digits[0])
}

/// IRD numbers of New Zealand, of nine digits.
pub(super) fn ird(digits: &[u8]) -> bool {
    let check = |weights: &[u32]| (11 - weighted_sum(&digits[..8], weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let check = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..=150_000_000).contains(&digits_value(digits)) && check == u32::from(digits[8])
}

/// The same of eight digits.
pub(super) fn ird8(digits: &[u8]) -> bool {
    let mut nine = [0; 9];
    nine[1..].copy_from_slice(digits);
    ird(&nine)
}

/// TAJ of Hungary.
pub(super) fn taj(digits: &[u8]) -> bool {
    weighted_sum(&digits[..8], &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == u32::from(digits[8]) && !all_same(digits)
}

/// Tax numbers of persons in Hungary.
pub(super) fn hu_tax(digits: &[u8]) -> bool {
    digits[0] == 8 && weighted_sum(&digits[..9], &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == u32::from(digits[9])
}

/// Tax numbers of firms in Hungary.
pub(super) fn hu_firm(digits: &[u8]) -> bool {
    (10 - weighted_sum(&digits[..7], &[9, 7, 3, 1, 9, 7, 3]) % 10) % 10 == u32::from(digits[7])
}

/// Citizen identity numbers of Vietnam: a province, sex and century.
pub(super) fn vietnam(digits: &[u8]) -> bool {
    (1..=96).contains(&digits_value(&digits[..3])) && digits[3] <= 3
}

/// Identity numbers of Argentina, Peru and, without their letter, Spain.
pub(super) fn dni(digits: &[u8]) -> bool {
    digits_value(digits) >= 1_000_000 && !all_same(digits)
}

/// PPS numbers of Ireland: seven digits, a check letter, maybe another letter.
pub(super) fn pps(word: &[u8]) -> bool {
    let digits = word.len().min(7);
    if !word[..digits].iter().all(u8::is_ascii_digit) || !word[digits..].iter().all(u8::is_ascii_uppercase) {
        return false;
    }
    let sum: u32 = word[..7].iter().zip([8, 7, 6, 5, 4, 3, 2]).map(|(b, k)| u32::from(b - b'0') * k).sum();
    let second = match word.get(8) {
        Some(b'A'..=b'I') => 9 * u32::from(word[8] - b'A' + 1),
        Some(b'W') | None => 0,
        Some(_) => return false,
    };
    let letter = (sum + second) % 23;
    word[7] == if letter == 0 { b'W' } else { b'A' + letter as u8 - 1 }
}

/// RFC of Mexico, of persons (thirteen characters) and firms (twelve): letters, a date, three more.
pub(super) fn rfc(word: &[u8]) -> bool {
    let (letters, rest) = word.split_at(word.len() - 9);
    let digit = |i: usize| rest[i].wrapping_sub(b'0');
    let d = [digit(0), digit(1), digit(2), digit(3), digit(4), digit(5)];
    letters.iter().all(|b| b.is_ascii_uppercase() || *b == b'&')
        && d.iter().all(|x| *x <= 9)
        && is_date(0, two_digits(&d, 2), two_digits(&d, 4))
        && (rest[8].is_ascii_digit() || rest[8] == b'A')
}

/// The check character of an RFC, which not all that were given have right.
pub(super) fn rfc_check(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ ";
    let firm = usize::from(word.len() == 12);
    let mut sum = 37 * 13 * firm;
    for (i, b) in word[..word.len() - 1].iter().enumerate() {
        let Some(v) = ALPHABET.iter().position(|x| x == b) else { return false };
        sum += v * (13 - i - firm);
    }
    let check = (11 - sum % 11) % 11;
    word[word.len() - 1] == if check == 10 { b'A' } else { b'0' + check as u8 }
}
