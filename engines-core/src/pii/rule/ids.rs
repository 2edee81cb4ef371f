//! National numbers of digits only: length, groups, check digits, and which cue names them.

use crate::pii::entity::Kind;
use crate::pii::scan::cue::{Cues, bit};

use super::check::{date, luhn, mod11_10, two, uniform, value, verhoeff, weighted};
use super::elsewhere as e;

/// One kind of number.
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) digits: usize,
    /// The cues that name it.
    pub(crate) cue: Cues,
    /// "national id", "tax number" without a country name it too.
    pub(crate) generic: bool,
    /// Groups, each with its separator before it (the first has none), that say by themselves what it is once the check digits are right.
    pub(crate) strong: &'static [(&'static [u8], &'static [u8])],
    /// Words that name it only together, in small letters of ASCII.
    pub(crate) phrases: &'static [&'static str],
    /// Whether the digits alone, ungrouped and without a cue, are enough.
    pub(crate) alone: bool,
    pub(crate) check: fn(&[u8]) -> bool,
}

const fn spec(kind: Kind, digits: usize, cue: Cues, generic: bool, check: fn(&[u8]) -> bool) -> Spec {
    Spec { kind, digits, cue, generic, strong: &[], phrases: &[], alone: false, check }
}

const fn strong(spec: Spec, strong: &'static [(&'static [u8], &'static [u8])]) -> Spec {
    Spec { strong, ..spec }
}

const fn phrases(spec: Spec, phrases: &'static [&'static str]) -> Spec {
    Spec { phrases, ..spec }
}

/// A number of a country that has no kind of its own here.
const fn other(digits: usize, cue: Cues, generic: bool, check: fn(&[u8]) -> bool) -> Spec {
    spec(Kind::NationalId, digits, cue, generic, check)
}

/// All of them, by number of digits.
pub(crate) const SPECS: &[Spec] = &[
    other(7, bit::DNI, false, e::dni),
    spec(Kind::AuTfn, 8, bit::TFN, false, tfn8),
    strong(other(8, bit::RUT, false, e::rut), &[(&[1, 3, 3, 1], b"..-")]),
    other(8, bit::IRD, false, e::ird8),
    other(8, bit::TAJ, false, e::hu_firm),
    other(8, bit::DNI, false, e::dni),
    spec(Kind::UsSsn, 9, bit::SSN, false, ssn),
    phrases(spec(Kind::UsItin, 9, bit::ITIN, false, itin), &["taxpayer identification"]),
    spec(Kind::CaSin, 9, bit::SIN, false, sin),
    phrases(spec(Kind::AuTfn, 9, bit::TFN, false, tfn), &["tax file"]),
    phrases(spec(Kind::AuAcn, 9, bit::ACN, false, acn), &["australian company"]),
    phrases(spec(Kind::NlBsn, 9, bit::BSN, true, bsn), &["burger service"]),
    spec(Kind::PtNif, 9, bit::NIF, true, pt_nif),
    spec(Kind::AbaRouting, 9, bit::ABA, false, aba),
    spec(Kind::UsEin, 9, bit::EIN, false, ein),
    spec(Kind::CzBirthNumber, 9, bit::CZ, false, cz9),
    other(9, bit::GR, false, e::afm),
    other(9, bit::IL, false, e::israel),
    strong(other(9, bit::RUT, false, e::rut), &[(&[2, 3, 3, 1], b"..-")]),
    other(9, bit::IRD, false, e::ird),
    other(9, bit::TAJ, false, e::taj),
    spec(Kind::UkNhs, 10, bit::NHS, false, nhs),
    spec(Kind::UsNpi, 10, bit::NPI, false, npi),
    strong(spec(Kind::SePersonalNumber, 10, bit::SE, true, se10), &[(&[6, 4], b"-")]),
    strong(spec(Kind::CzBirthNumber, 10, bit::CZ, true, cz10), &[(&[6, 4], b"/")]),
    spec(Kind::DkCpr, 10, bit::DK, true, cpr),
    spec(Kind::AuMedicare, 10, bit::MEDICARE, false, au_medicare),
    other(10, bit::RU, false, e::inn10),
    other(10, bit::UA, false, e::ua_tax),
    other(10, bit::BG, true, e::egn),
    other(10, bit::KENNITALA, true, e::kennitala),
    strong(other(10, bit::NIT, false, e::nit), &[(&[3, 3, 3, 1], b"..-")]),
    other(10, bit::CEDULA, false, e::ecuador),
    other(10, bit::SVNR, false, e::svnr),
    phrases(other(10, bit::UTR, false, e::utr), &["taxpayer ref"]),
    other(10, bit::TAJ, false, e::hu_tax),
    spec(Kind::AuMedicare, 11, bit::MEDICARE, false, au_medicare),
    strong(spec(Kind::BrCpf, 11, bit::CPF, true, cpf), &[(&[3, 3, 3, 2], b"..-")]),
    spec(Kind::PlPesel, 11, bit::PESEL, true, pesel),
    spec(Kind::DeTaxId, 11, bit::STEUER, true, de_tax),
    strong(spec(Kind::BeNrn, 11, bit::NRN, true, nrn), &[(&[2, 2, 2, 3, 2], b"..-.")]),
    spec(Kind::NoFodselsnummer, 11, bit::NO, true, no_id),
    spec(Kind::TrNationalId, 11, bit::TR, true, tr_id),
    phrases(spec(Kind::AuAbn, 11, bit::ABN, false, abn), &["australian business"]),
    spec(Kind::ItVatCode, 11, bit::VAT, false, it_vat),
    other(11, bit::GR, false, e::amka),
    strong(other(11, bit::SNILS, false, e::snils), &[(&[3, 3, 3, 2], b"-- ")]),
    other(11, bit::OIB, false, e::oib),
    other(11, bit::BALTIC, true, e::baltic),
    strong(other(11, bit::BALTIC, false, e::latvia), &[(&[6, 5], b"-")]),
    strong(other(11, bit::CUIT, false, e::cuit), &[(&[2, 8, 1], b"--")]),
    strong(other(11, bit::CEDULA, false, e::dominican), &[(&[3, 7, 1], b"--")]),
    spec(Kind::InAadhaar, 12, bit::AADHAAR, true, aadhaar),
    phrases(spec(Kind::JpMyNumber, 12, bit::MYNUMBER, true, my_number), &["my number"]),
    strong(spec(Kind::SePersonalNumber, 12, bit::SE, true, se12), &[(&[8, 4], b"-")]),
    other(12, bit::RU, false, e::inn12),
    strong(other(12, bit::MYKAD, false, e::mykad), &[(&[6, 2, 4], b"--")]),
    other(12, bit::VN, false, e::vietnam),
    strong(spec(Kind::KrRrn, 13, bit::RRN, true, rrn), &[(&[6, 7], b"-")]),
    strong(spec(Kind::ChAhv, 13, bit::AHV, true, ahv), &[(&[3, 4, 4, 2], b"..."), (&[3, 4, 4, 2], b"   ")]),
    spec(Kind::RoCnp, 13, bit::RO, true, cnp),
    strong(spec(Kind::ThTnin, 13, bit::TH, true, thai), &[(&[1, 4, 5, 2, 1], b"----")]),
    phrases(spec(Kind::ZaId, 13, bit::ZA, true, za_id), &["id number", "id no", "sa id", "african id"]),
    other(13, bit::JMBG, true, e::jmbg),
    strong(other(13, bit::CNIC, false, e::cnic), &[(&[5, 7, 1], b"--")]),
    strong(spec(Kind::BrCnpj, 14, bit::CNPJ, true, cnpj), &[(&[2, 3, 3, 4, 2], b"../-")]),
    Spec { alone: true, ..strong(spec(Kind::FrNir, 15, bit::NIR, true, nir), &[(&[1, 2, 2, 2, 3, 3, 2], b"      ")]) },
    spec(Kind::Imei, 15, bit::IMEI, false, imei),
    other(16, bit::NIK, false, e::nik),
    Spec { alone: true, ..spec(Kind::CnResidentId, 18, bit::CNID, true, cn_id) },
];

/// Every cue that names one of them.
pub(crate) const CUES: Cues = {
    let mut all = bit::NATIONAL | bit::PPS | bit::RFC;
    let mut i = 0;
    while i < SPECS.len() {
        all |= SPECS[i].cue;
        i += 1;
    }
    all
};

/// Those with that many digits.
pub(crate) fn with_digits(digits: usize) -> &'static [Spec] {
    let Some(&(from, to)) = RANGES.get(digits) else { return &[] };
    SPECS.get(usize::from(from)..usize::from(to)).unwrap_or(&[])
}

/// Which of those with that many digits can be known without their cue: one bit for each.
pub(crate) fn known_uncued(digits: usize) -> u32 {
    UNCUED.get(digits).copied().unwrap_or(0)
}

const UNCUED: [u32; 20] = {
    let mut sets = [0; 20];
    let mut i = 0;
    while i < SPECS.len() {
        let spec = &SPECS[i];
        if spec.alone || !spec.strong.is_empty() || !spec.phrases.is_empty() {
            sets[spec.digits] |= 1 << (i - RANGES[spec.digits].0 as usize);
        }
        i += 1;
    }
    sets
};

const RANGES: [(u8, u8); 20] = {
    let mut ranges = [(0, 0); 20];
    let mut i = 0;
    while i < SPECS.len() {
        let n = SPECS[i].digits;
        if ranges[n].1 == 0 {
            ranges[n].0 = i as u8;
        }
        ranges[n].1 = i as u8 + 1;
        i += 1;
    }
    ranges
};

/// Social Security numbers: no area 000, 666, 9xx, no group 00, no serial 0000 (SSA, since 2011).
pub(crate) fn ssn(d: &[u8]) -> bool {
    let (area, group, serial) = (value(&d[..3]), value(&d[3..5]), value(&d[5..9]));
    area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !uniform(d)
        && !matches!(value(d), 78_051_120 | 219_099_999)
}

/// Individual taxpayer numbers (IRS): 9xx and groups 50–65, 70–88, 90–92, 94–99.
pub(crate) fn itin(d: &[u8]) -> bool {
    d[0] == 9 && matches!(two(d, 3), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Employer numbers (IRS): the prefixes in use.
pub(crate) fn ein(d: &[u8]) -> bool {
    matches!(
        two(d, 0),
        1..=6 | 10..=16 | 20..=27 | 30..=48 | 50..=68 | 71..=77 | 80..=88 | 90..=95 | 98 | 99
    ) && !uniform(d)
}

fn sin(d: &[u8]) -> bool {
    d[0] != 0 && d[0] != 8 && luhn(d) && !uniform(d)
}

/// The "elfproef" with −1 for the last digit.
fn bsn(d: &[u8]) -> bool {
    let sum = weighted(&d[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum % 11 == u32::from(d[8]) && !uniform(d)
}

fn pt_nif(d: &[u8]) -> bool {
    let r = weighted(&d[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if r < 2 { 0 } else { 11 - r };
    (matches!(d[0], 1 | 2 | 3 | 5 | 6 | 8 | 9) || matches!(two(d, 0), 45 | 70..=79))
        && check == u32::from(d[8])
        && !uniform(d)
}

fn tfn(d: &[u8]) -> bool {
    weighted(d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !uniform(d)
}

fn tfn8(d: &[u8]) -> bool {
    weighted(d, &[10, 7, 8, 4, 6, 3, 5, 1]).is_multiple_of(11) && !uniform(d)
}

fn acn(d: &[u8]) -> bool {
    let r = weighted(&d[..8], &[8, 7, 6, 5, 4, 3, 2, 1]) % 10;
    (10 - r) % 10 == u32::from(d[8]) && !uniform(d)
}

fn aba(d: &[u8]) -> bool {
    matches!(two(d, 0), 0..=12 | 21..=32 | 61..=72 | 80)
        && weighted(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && !uniform(d)
}

fn abn(d: &[u8]) -> bool {
    let mut e = [0; 11];
    e.copy_from_slice(&d[..11]);
    if e[0] == 0 {
        return false;
    }
    e[0] -= 1;
    weighted(&e, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
}

fn au_medicare(d: &[u8]) -> bool {
    matches!(d[0], 2..=6) && weighted(&d[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(d[8])
}

fn nhs(d: &[u8]) -> bool {
    let c = 11 - weighted(&d[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    c != 10 && c % 11 == u32::from(d[9]) && !uniform(d)
}

/// National Provider Identifiers: Luhn with the prefix 80840.
fn npi(d: &[u8]) -> bool {
    let mut e = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    e[5..].copy_from_slice(&d[..10]);
    matches!(d[0], 1 | 2) && luhn(&e)
}

fn cpf(d: &[u8]) -> bool {
    !uniform(d) && brazil(d, 9, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) && brazil(d, 10, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn cnpj(d: &[u8]) -> bool {
    !uniform(d)
        && brazil(d, 12, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
        && brazil(d, 13, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

fn brazil(d: &[u8], at: usize, weights: &[u32]) -> bool {
    let r = weighted(&d[..at], weights) % 11;
    let check = if r < 2 { 0 } else { 11 - r };
    u32::from(d[at]) == check
}

fn pesel(d: &[u8]) -> bool {
    let (year, month, day) = (two(d, 0), two(d, 2), two(d, 4));
    let century = match month / 20 {
        0 => 1900,
        1 => 2000,
        2 => 2100,
        3 => 2200,
        _ => 1800,
    };
    date(century + year, month % 20, day)
        && (10 - weighted(&d[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == u32::from(d[10])
}

/// German tax ids: one digit twice or three times among the first ten, ISO 7064 MOD 11,10.
fn de_tax(d: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for &x in &d[..10] {
        counts[usize::from(x)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    d[0] != 0 && (2..=3).contains(&most) && counts.iter().filter(|c| **c > 1).count() <= 2 && mod11_10(d)
}

fn nrn(d: &[u8]) -> bool {
    let (month, day) = (two(d, 2) % 20, two(d, 4));
    let check = value(&d[9..11]);
    let body = value(&d[..9]);
    month <= 12 && day <= 31 && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

fn no_id(d: &[u8]) -> bool {
    let day = two(d, 0);
    let day = if day > 40 { day - 40 } else { day };
    let month = two(d, 2) % 40;
    let month = if month > 12 { month.saturating_sub(40) } else { month };
    let k1 = (11 - weighted(&d[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
    let k2 = (11 - weighted(&d[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    date(0, month, day) && k1 == u32::from(d[9]) && k2 == u32::from(d[10])
}

fn tr_id(d: &[u8]) -> bool {
    let odd: u32 = [0, 2, 4, 6, 8].iter().map(|i| u32::from(d[*i])).sum();
    let even: u32 = [1, 3, 5, 7].iter().map(|i| u32::from(d[*i])).sum();
    let sum: u32 = d[..10].iter().map(|x| u32::from(*x)).sum();
    d[0] != 0 && (odd * 7 + 100 - even) % 10 == u32::from(d[9]) && sum % 10 == u32::from(d[10])
}

fn it_vat(d: &[u8]) -> bool {
    luhn(d) && !uniform(d) && matches!(value(&d[7..10]), 1..=100 | 120 | 121 | 888 | 999)
}

fn aadhaar(d: &[u8]) -> bool {
    d[0] >= 2 && verhoeff(d) && !uniform(d)
}

fn my_number(d: &[u8]) -> bool {
    let r = weighted(&d[..11], &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if r <= 1 { 0 } else { 11 - r };
    check == u32::from(d[11]) && !uniform(d)
}

fn se10(d: &[u8]) -> bool {
    let day = two(d, 4);
    date(0, two(d, 2), if day > 60 { day - 60 } else { day }) && luhn(d)
}

fn se12(d: &[u8]) -> bool {
    matches!(two(d, 0), 18..=20) && se10(&d[2..])
}

/// CPR numbers: a date; the modulus 11 is no longer guaranteed since 2007.
fn cpr(d: &[u8]) -> bool {
    date(0, two(d, 2), two(d, 0))
}

fn cz_date(d: &[u8]) -> bool {
    let month = match two(d, 2) {
        m @ (1..=12 | 51..=62) => m % 50,
        m @ (21..=32 | 71..=82) => m % 50 - 20,
        _ => return false,
    };
    date(0, month, two(d, 4))
}

fn cz9(d: &[u8]) -> bool {
    cz_date(d) && two(d, 0) < 54
}

fn cz10(d: &[u8]) -> bool {
    cz_date(d) && (value(d).is_multiple_of(11) || value(&d[..9]) % 11 == 10 && d[9] == 0)
}

fn rrn(d: &[u8]) -> bool {
    let check = (11 - weighted(&d[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    let foreign = matches!(d[6], 5..=8);
    // Numbers given since October 2020 have a random tail.
    date(0, two(d, 2), two(d, 4))
        && d[6] != 0
        && d[6] != 9
        && (check == u32::from(d[12])
            || foreign && (check + 2) % 10 == u32::from(d[12])
            || two(d, 0) >= 20 && matches!(d[6], 3 | 4 | 7 | 8) && two(d, 0) < 40)
}

fn ahv(d: &[u8]) -> bool {
    let check = (10 - weighted(&d[..12], &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10;
    value(&d[..3]) == 756 && check == u32::from(d[12])
}

fn cnp(d: &[u8]) -> bool {
    let r = weighted(&d[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    d[0] != 0 && date(0, two(d, 3), two(d, 5)) && (if r == 10 { 1 } else { r }) == u32::from(d[12])
}

fn thai(d: &[u8]) -> bool {
    let sum = weighted(&d[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    matches!(d[0], 1..=8) && (11 - sum % 11) % 10 == u32::from(d[12])
}

fn za_id(d: &[u8]) -> bool {
    date(0, two(d, 2), two(d, 4)) && d[10] <= 2 && luhn(d)
}

/// French social security numbers: sex, year, month (also the fictive ones), department, commune, order, key.
fn nir(d: &[u8]) -> bool {
    let month = two(d, 3);
    matches!(d[0], 1..=4 | 7 | 8)
        && matches!(month, 1..=12 | 20 | 30..=42 | 50..=99)
        && 97 - value(&d[..13]) % 97 == value(&d[13..15])
        && value(&d[5..13]) != 0
}

/// IMEI: Luhn and a reporting body in use.
fn imei(d: &[u8]) -> bool {
    matches!(two(d, 0), 1 | 10 | 30 | 33 | 35 | 44..=46 | 49..=54 | 86 | 91 | 97..=99) && luhn(d) && !uniform(d)
}

/// Resident ids of China (GB 11643): region, date, ISO 7064 MOD 11-2; `d[17]` may be 10 for X.
pub(crate) fn cn_id(d: &[u8]) -> bool {
    let year = two(d, 6) * 100 + two(d, 8);
    let sum = weighted(&d[..17], &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    matches!(two(d, 0), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
        && (1900..=2100).contains(&year)
        && date(year, two(d, 10), two(d, 12))
        && (12 - sum % 11) % 11 == u32::from(d[17])
}
