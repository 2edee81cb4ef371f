//! National numbers that consist of digits: length, groups, check digits, and the cues that name them.

use crate::entity::EntityKind;
use crate::scan::cue::{Cues, bit};

use super::check_digits::{all_same, digits_value, is_date, luhn, mod11_10, two_digits, verhoeff, weighted_sum};
use super::national_checks as e;

/// A kind of national number.
pub(crate) struct NumberSpec {
    pub(crate) kind: EntityKind,
    pub(crate) digits: usize,
    /// The cues that name the number.
    pub(crate) cues: Cues,
    /// Whether "national id" or "tax number" without a country names it too.
    pub(crate) generic_cue: bool,
    /// Groups, each with the separator before it (the first has none), which suffice without a cue if the check digits
    /// are right.
    pub(crate) certain_groupings: &'static [(&'static [u8], &'static [u8])],
    /// Phrases that name it although their words alone do not, in lower-case ASCII.
    pub(crate) phrases: &'static [&'static str],
    /// Whether the digits alone suffice, without groups and without a cue.
    pub(crate) needs_no_cue: bool,
    pub(crate) check: fn(&[u8]) -> bool,
}

const fn spec(kind: EntityKind, digits: usize, cue: Cues, generic: bool, check: fn(&[u8]) -> bool) -> NumberSpec {
    NumberSpec {
        kind,
        digits,
        cues: cue,
        generic_cue: generic,
        certain_groupings: &[],
        phrases: &[],
        needs_no_cue: false,
        check,
    }
}

const fn with_groupings(spec: NumberSpec, strong: &'static [(&'static [u8], &'static [u8])]) -> NumberSpec {
    NumberSpec { certain_groupings: strong, ..spec }
}

const fn with_phrases(spec: NumberSpec, phrases: &'static [&'static str]) -> NumberSpec {
    NumberSpec { phrases, ..spec }
}

/// A number of a country that has no entity of its own.
const fn national(digits: usize, cue: Cues, generic: bool, check: fn(&[u8]) -> bool) -> NumberSpec {
    spec(EntityKind::NationalId, digits, cue, generic, check)
}

/// All kinds, by number of digits.
pub(crate) const NUMBER_SPECS: &[NumberSpec] = &[
    national(7, bit::DNI, false, e::dni),
    spec(EntityKind::AuTfn, 8, bit::TFN, false, tfn8),
    with_groupings(national(8, bit::RUT, false, e::rut), &[(&[1, 3, 3, 1], b"..-")]),
    national(8, bit::IRD, false, e::ird8),
    national(8, bit::TAJ, false, e::hu_firm),
    national(8, bit::DNI, false, e::dni),
    spec(EntityKind::UsSsn, 9, bit::SSN, false, ssn),
    with_phrases(spec(EntityKind::UsItin, 9, bit::ITIN, false, itin), &["taxpayer identification"]),
    spec(EntityKind::CaSin, 9, bit::SIN, false, sin),
    with_phrases(spec(EntityKind::AuTfn, 9, bit::TFN, false, tfn), &["tax file"]),
    with_phrases(spec(EntityKind::AuAcn, 9, bit::ACN, false, acn), &["australian company"]),
    with_phrases(spec(EntityKind::NlBsn, 9, bit::BSN, true, bsn), &["burger service"]),
    spec(EntityKind::PtNif, 9, bit::NIF, true, pt_nif),
    spec(EntityKind::AbaRouting, 9, bit::ABA, false, aba),
    spec(EntityKind::UsEin, 9, bit::EIN, false, ein),
    spec(EntityKind::CzBirthNumber, 9, bit::CZECHIA, false, cz9),
    national(9, bit::GREECE, false, e::afm),
    national(9, bit::ISRAEL, false, e::israel),
    with_groupings(national(9, bit::RUT, false, e::rut), &[(&[2, 3, 3, 1], b"..-")]),
    national(9, bit::IRD, false, e::ird),
    national(9, bit::TAJ, false, e::taj),
    spec(EntityKind::UkNhs, 10, bit::NHS, false, nhs),
    spec(EntityKind::UsNpi, 10, bit::NPI, false, npi),
    with_groupings(spec(EntityKind::SePersonalNumber, 10, bit::SWEDEN, true, se10), &[(&[6, 4], b"-")]),
    with_groupings(spec(EntityKind::CzBirthNumber, 10, bit::CZECHIA, true, cz10), &[(&[6, 4], b"/")]),
    spec(EntityKind::DkCpr, 10, bit::DENMARK, true, cpr),
    spec(EntityKind::AuMedicare, 10, bit::MEDICARE, false, au_medicare),
    national(10, bit::RUSSIA, false, e::inn10),
    national(10, bit::UKRAINE, false, e::ua_tax),
    national(10, bit::BULGARIA, true, e::egn),
    national(10, bit::KENNITALA, true, e::kennitala),
    with_groupings(national(10, bit::NIT, false, e::nit), &[(&[3, 3, 3, 1], b"..-")]),
    national(10, bit::CEDULA, false, e::ecuador),
    national(10, bit::SVNR, false, e::svnr),
    with_phrases(national(10, bit::UTR, false, e::utr), &["taxpayer ref"]),
    national(10, bit::TAJ, false, e::hu_tax),
    spec(EntityKind::AuMedicare, 11, bit::MEDICARE, false, au_medicare),
    with_groupings(spec(EntityKind::BrCpf, 11, bit::CPF, true, cpf), &[(&[3, 3, 3, 2], b"..-")]),
    spec(EntityKind::PlPesel, 11, bit::PESEL, true, pesel),
    spec(EntityKind::DeTaxId, 11, bit::STEUER, true, de_tax),
    with_groupings(spec(EntityKind::BeNrn, 11, bit::NRN, true, nrn), &[(&[2, 2, 2, 3, 2], b"..-.")]),
    spec(EntityKind::NoFodselsnummer, 11, bit::NORWAY, true, no_id),
    spec(EntityKind::TrNationalId, 11, bit::TURKEY, true, tr_id),
    with_phrases(spec(EntityKind::AuAbn, 11, bit::ABN, false, abn), &["australian business"]),
    spec(EntityKind::ItVatCode, 11, bit::VAT, false, it_vat),
    national(11, bit::GREECE, false, e::amka),
    with_groupings(national(11, bit::SNILS, false, e::snils), &[(&[3, 3, 3, 2], b"-- ")]),
    national(11, bit::OIB, false, e::oib),
    national(11, bit::BALTIC, true, e::baltic),
    with_groupings(national(11, bit::BALTIC, false, e::latvia), &[(&[6, 5], b"-")]),
    with_groupings(national(11, bit::CUIT, false, e::cuit), &[(&[2, 8, 1], b"--")]),
    with_groupings(national(11, bit::CEDULA, false, e::dominican), &[(&[3, 7, 1], b"--")]),
    spec(EntityKind::InAadhaar, 12, bit::AADHAAR, true, aadhaar),
    with_phrases(spec(EntityKind::JpMyNumber, 12, bit::MYNUMBER, true, my_number), &["my number"]),
    with_groupings(spec(EntityKind::SePersonalNumber, 12, bit::SWEDEN, true, se12), &[(&[8, 4], b"-")]),
    national(12, bit::RUSSIA, false, e::inn12),
    with_groupings(national(12, bit::MYKAD, false, e::mykad), &[(&[6, 2, 4], b"--")]),
    national(12, bit::VIETNAM, false, e::vietnam),
    with_groupings(spec(EntityKind::KrRrn, 13, bit::RRN, true, rrn), &[(&[6, 7], b"-")]),
    with_groupings(
        spec(EntityKind::ChAhv, 13, bit::AHV, true, ahv),
        &[(&[3, 4, 4, 2], b"..."), (&[3, 4, 4, 2], b"   ")],
    ),
    spec(EntityKind::RoCnp, 13, bit::ROMANIA, true, cnp),
    with_groupings(spec(EntityKind::ThTnin, 13, bit::THAILAND, true, thai), &[(&[1, 4, 5, 2, 1], b"----")]),
    with_phrases(
        spec(EntityKind::ZaId, 13, bit::SOUTH_AFRICA, true, za_id),
        &["id number", "id no", "sa id", "african id"],
    ),
    national(13, bit::JMBG, true, e::jmbg),
    with_groupings(national(13, bit::CNIC, false, e::cnic), &[(&[5, 7, 1], b"--")]),
    with_groupings(spec(EntityKind::BrCnpj, 14, bit::CNPJ, true, cnpj), &[(&[2, 3, 3, 4, 2], b"../-")]),
    NumberSpec {
        needs_no_cue: true,
        ..with_groupings(spec(EntityKind::FrNir, 15, bit::NIR, true, nir), &[(&[1, 2, 2, 2, 3, 3, 2], b"      ")])
    },
    spec(EntityKind::Imei, 15, bit::IMEI, false, imei),
    national(16, bit::NIK, false, e::nik),
    NumberSpec { needs_no_cue: true, ..spec(EntityKind::CnResidentId, 18, bit::CHINA_ID, true, cn_id) },
];

/// Every cue that names one of them.
pub(crate) const ALL_CUES: Cues = {
    let mut all = bit::NATIONAL | bit::PPS | bit::RFC;
    let mut i = 0;
    while i < NUMBER_SPECS.len() {
        all |= NUMBER_SPECS[i].cues;
        i += 1;
    }
    all
};

/// The kinds with that many digits.
pub(crate) fn with_digits(digits: usize) -> &'static [NumberSpec] {
    let Some(&(from, to)) = RANGES.get(digits) else { return &[] };
    NUMBER_SPECS.get(usize::from(from)..usize::from(to)).unwrap_or(&[])
}

/// Of the kinds with that many digits, those that are recognised without their cue: one bit for each.
pub(crate) fn without_cue(digits: usize) -> u32 {
    UNCUED.get(digits).copied().unwrap_or(0)
}

const UNCUED: [u32; 20] = {
    let mut sets = [0; 20];
    let mut i = 0;
    while i < NUMBER_SPECS.len() {
        let spec = &NUMBER_SPECS[i];
        if spec.needs_no_cue || !spec.certain_groupings.is_empty() || !spec.phrases.is_empty() {
            sets[spec.digits] |= 1 << (i - RANGES[spec.digits].0 as usize);
        }
        i += 1;
    }
    sets
};

const RANGES: [(u8, u8); 20] = {
    let mut ranges = [(0, 0); 20];
    let mut i = 0;
    while i < NUMBER_SPECS.len() {
        let n = NUMBER_SPECS[i].digits;
        if ranges[n].1 == 0 {
            ranges[n].0 = i as u8;
        }
        ranges[n].1 = i as u8 + 1;
        i += 1;
    }
    ranges
};

/// Social Security numbers: no area 000, 666, 9xx, no group 00, no serial 0000 (SSA, since 2011).
pub(crate) fn ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (digits_value(&digits[..3]), digits_value(&digits[3..5]), digits_value(&digits[5..9]));
    area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !all_same(digits)
        && !matches!(digits_value(digits), 78_051_120 | 219_099_999)
}

/// Individual taxpayer numbers (IRS): 9xx and groups 50–65, 70–88, 90–92, 94–99.
pub(crate) fn itin(digits: &[u8]) -> bool {
    digits[0] == 9 && matches!(two_digits(digits, 3), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Employer numbers (IRS): the prefixes in use.
pub(crate) fn ein(digits: &[u8]) -> bool {
    matches!(
        two_digits(digits, 0),
        1..=6 | 10..=16 | 20..=27 | 30..=48 | 50..=68 | 71..=77 | 80..=88 | 90..=95 | 98 | 99
    ) && !all_same(digits)
}

fn sin(digits: &[u8]) -> bool {
    digits[0] != 0 && digits[0] != 8 && luhn(digits) && !all_same(digits)
}

/// The "elfproef" with −1 for the last digit.
fn bsn(digits: &[u8]) -> bool {
    let sum = weighted_sum(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum % 11 == u32::from(digits[8]) && !all_same(digits)
}

fn pt_nif(digits: &[u8]) -> bool {
    let r = weighted_sum(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if r < 2 { 0 } else { 11 - r };
    (matches!(digits[0], 1 | 2 | 3 | 5 | 6 | 8 | 9) || matches!(two_digits(digits, 0), 45 | 70..=79))
        && check == u32::from(digits[8])
        && !all_same(digits)
}

fn tfn(digits: &[u8]) -> bool {
    weighted_sum(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !all_same(digits)
}

fn tfn8(digits: &[u8]) -> bool {
    weighted_sum(digits, &[10, 7, 8, 4, 6, 3, 5, 1]).is_multiple_of(11) && !all_same(digits)
}

fn acn(digits: &[u8]) -> bool {
    let r = weighted_sum(&digits[..8], &[8, 7, 6, 5, 4, 3, 2, 1]) % 10;
    (10 - r) % 10 == u32::from(digits[8]) && !all_same(digits)
}

fn aba(digits: &[u8]) -> bool {
    matches!(two_digits(digits, 0), 0..=12 | 21..=32 | 61..=72 | 80)
        && weighted_sum(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && !all_same(digits)
}

fn abn(digits: &[u8]) -> bool {
    let mut e = [0; 11];
    e.copy_from_slice(&digits[..11]);
    if e[0] == 0 {
        return false;
    }
    e[0] -= 1;
    weighted_sum(&e, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

fn au_medicare(digits: &[u8]) -> bool {
    matches!(digits[0], 2..=6) && weighted_sum(&digits[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(digits[8])
}

fn nhs(digits: &[u8]) -> bool {
    let c = 11 - weighted_sum(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    c != 10 && c % 11 == u32::from(digits[9]) && !all_same(digits)
}

/// National Provider Identifiers: Luhn with the prefix 80840.
fn npi(digits: &[u8]) -> bool {
    let mut e = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    e[5..].copy_from_slice(&digits[..10]);
    matches!(digits[0], 1 | 2) && luhn(&e)
}

fn cpf(digits: &[u8]) -> bool {
    !all_same(digits)
        && brazil(digits, 9, &[10, 9, 8, 7, 6, 5, 4, 3, 2])
        && brazil(digits, 10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn cnpj(digits: &[u8]) -> bool {
    !all_same(digits)
        && brazil(digits, 12, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
        && brazil(digits, 13, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn brazil(digits: &[u8], at: usize, weights: &[u32]) -> bool {
    let r = weighted_sum(&digits[..at], weights) % 11;
    let check = if r < 2 { 0 } else { 11 - r };
    u32::from(digits[at]) == check
}

fn pesel(digits: &[u8]) -> bool {
    let (year, month, day) = (two_digits(digits, 0), two_digits(digits, 2), two_digits(digits, 4));
    let century = match month / 20 {
        0 => 1900,
        1 => 2000,
        2 => 2100,
        3 => 2200,
        _ => 1800,
    };
    is_date(century + year, month % 20, day)
        && (10 - weighted_sum(&digits[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == u32::from(digits[10])
}

/// German tax ids: one digit twice or three times among the first ten, ISO 7064 MOD 11,10.
fn de_tax(digits: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for &x in &digits[..10] {
        counts[usize::from(x)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    digits[0] != 0 && (2..=3).contains(&most) && counts.iter().filter(|c| **c > 1).count() <= 2 && mod11_10(digits)
}

fn nrn(digits: &[u8]) -> bool {
    let (month, day) = (two_digits(digits, 2) % 20, two_digits(digits, 4));
    let check = digits_value(&digits[9..11]);
    let body = digits_value(&digits[..9]);
    month <= 12 && day <= 31 && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

fn no_id(digits: &[u8]) -> bool {
    let day = two_digits(digits, 0);
    let day = if day > 40 { day - 40 } else { day };
    let month = two_digits(digits, 2) % 40;
    let month = if month > 12 { month.saturating_sub(40) } else { month };
    let k1 = (11 - weighted_sum(&digits[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
    let k2 = (11 - weighted_sum(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    is_date(0, month, day) && k1 == u32::from(digits[9]) && k2 == u32::from(digits[10])
}

fn tr_id(digits: &[u8]) -> bool {
    let odd: u32 = [0, 2, 4, 6, 8].iter().map(|i| u32::from(digits[*i])).sum();
    let even: u32 = [1, 3, 5, 7].iter().map(|i| u32::from(digits[*i])).sum();
    let sum: u32 = digits[..10].iter().map(|x| u32::from(*x)).sum();
    digits[0] != 0 && (odd * 7 + 100 - even) % 10 == u32::from(digits[9]) && sum % 10 == u32::from(digits[10])
}

fn it_vat(digits: &[u8]) -> bool {
    luhn(digits) && !all_same(digits) && matches!(digits_value(&digits[7..10]), 1..=100 | 120 | 121 | 888 | 999)
}

fn aadhaar(digits: &[u8]) -> bool {
    digits[0] >= 2 && verhoeff(digits) && !all_same(digits)
}

fn my_number(digits: &[u8]) -> bool {
    let r = weighted_sum(&digits[..11], &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if r <= 1 { 0 } else { 11 - r };
    check == u32::from(digits[11]) && !all_same(digits)
}

fn se10(digits: &[u8]) -> bool {
    let day = two_digits(digits, 4);
    is_date(0, two_digits(digits, 2), if day > 60 { day - 60 } else { day }) && luhn(digits)
}

fn se12(digits: &[u8]) -> bool {
    matches!(two_digits(digits, 0), 18..=20) && se10(&digits[2..])
}

/// CPR numbers: a date; the modulus 11 is no longer guaranteed since 2007.
fn cpr(digits: &[u8]) -> bool {
    is_date(0, two_digits(digits, 2), two_digits(digits, 0))
}

fn cz_date(digits: &[u8]) -> bool {
    let month = match two_digits(digits, 2) {
        m @ (1..=12 | 51..=62) => m % 50,
        m @ (21..=32 | 71..=82) => m % 50 - 20,
        _ => return false,
    };
    is_date(0, month, two_digits(digits, 4))
}

fn cz9(digits: &[u8]) -> bool {
    cz_date(digits) && two_digits(digits, 0) < 54
}

fn cz10(digits: &[u8]) -> bool {
    cz_date(digits)
        && (digits_value(digits).is_multiple_of(11) || digits_value(&digits[..9]) % 11 == 10 && digits[9] == 0)
}

fn rrn(digits: &[u8]) -> bool {
    let check = (11 - weighted_sum(&digits[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    let foreign = matches!(digits[6], 5..=8);
    // Numbers given since October 2020 have a random tail.
    is_date(0, two_digits(digits, 2), two_digits(digits, 4))
        && digits[6] != 0
        && digits[6] != 9
        && (check == u32::from(digits[12])
            || foreign && (check + 2) % 10 == u32::from(digits[12])
            || two_digits(digits, 0) >= 20 && matches!(digits[6], 3 | 4 | 7 | 8) && two_digits(digits, 0) < 40)
}

fn ahv(digits: &[u8]) -> bool {
    let check = (10 - weighted_sum(&digits[..12], &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10;
    digits_value(&digits[..3]) == 756 && check == u32::from(digits[12])
}

fn cnp(digits: &[u8]) -> bool {
    let r = weighted_sum(&digits[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    digits[0] != 0
        && is_date(0, two_digits(digits, 3), two_digits(digits, 5))
        && (if r == 10 { 1 } else { r }) == u32::from(digits[12])
}

fn thai(digits: &[u8]) -> bool {
    let sum = weighted_sum(&digits[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(digits[0], 1..=8) && (11 - sum % 11) % 10 == u32::from(digits[12])
}

fn za_id(digits: &[u8]) -> bool {
    is_date(0, two_digits(digits, 2), two_digits(digits, 4)) && digits[10] <= 2 && luhn(digits)
}

/// French social security numbers: sex, year, month (also the fictive ones), department, commune, order, key.
fn nir(digits: &[u8]) -> bool {
    let month = two_digits(digits, 3);
    matches!(digits[0], 1..=4 | 7 | 8)
        && matches!(month, 1..=12 | 20 | 30..=42 | 50..=99)
        && 97 - digits_value(&digits[..13]) % 97 == digits_value(&digits[13..15])
        && digits_value(&digits[5..13]) != 0
}

/// IMEI: Luhn and a reporting body in use.
fn imei(digits: &[u8]) -> bool {
    matches!(two_digits(digits, 0), 1 | 10 | 30 | 33 | 35 | 44..=46 | 49..=54 | 86 | 91 | 97..=99)
        && luhn(digits)
        && !all_same(digits)
}

/// Resident ids of China (GB 11643): region, date, ISO 7064 MOD 11-2; `d[17]` may be 10 for X.
pub(crate) fn cn_id(digits: &[u8]) -> bool {
    let year = two_digits(digits, 6) * 100 + two_digits(digits, 8);
    let sum = weighted_sum(&digits[..17], &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    matches!(two_digits(digits, 0), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
        && (1900..=2100).contains(&year)
        && is_date(year, two_digits(digits, 10), two_digits(digits, 12))
        && (12 - sum % 11) % 11 == u32::from(digits[17])
}
