//! Cue words: what stands before a value says what it is ("SSN", "Telefonnummer", "order").
//!
//! The scanner looks each word up once, behind a filter on its beginning and its length, and keeps the last few
//! cues in a ring; rules then ask how far back the nearest cue of a kind is. So cues cost the same whatever the text is.

use std::sync::LazyLock;

use super::words;

pub(crate) use super::table::{CueTable, Key};

/// What a cue speaks of: a set of the constants in [`bit`].
pub(crate) type Cues = u128;

/// The kinds of cue.
pub(crate) mod bit {
    use super::Cues;

    const fn n(i: u32) -> Cues {
        1 << i
    }
    pub(crate) const PHONE: Cues = n(0);
    /// A word that often stands before a phone number and often before other numbers.
    pub(crate) const NUMBER: Cues = n(1);
    pub(crate) const CARD: Cues = n(2);
    pub(crate) const BANK: Cues = n(3);
    pub(crate) const SSN: Cues = n(4);
    pub(crate) const IP: Cues = n(5);
    pub(crate) const MAC: Cues = n(6);
    pub(crate) const WALLET: Cues = n(7);
    pub(crate) const BORN: Cues = n(8);
    pub(crate) const ZIP: Cues = n(9);
    pub(crate) const ADDRESS: Cues = n(10);
    pub(crate) const PASSWORD: Cues = n(11);
    pub(crate) const SECRET: Cues = n(12);
    pub(crate) const KEY: Cues = n(13);
    pub(crate) const BEARER: Cues = n(14);
    pub(crate) const BASIC: Cues = n(15);
    pub(crate) const BIC: Cues = n(16);
    pub(crate) const PASSPORT: Cues = n(17);
    pub(crate) const LICENCE: Cues = n(18);
    pub(crate) const NHS: Cues = n(19);
    pub(crate) const NINO: Cues = n(20);
    pub(crate) const SORT: Cues = n(21);
    /// National, tax or personal numbers without a country.
    pub(crate) const NATIONAL: Cues = n(22);
    pub(crate) const AADHAAR: Cues = n(23);
    pub(crate) const PAN: Cues = n(24);
    pub(crate) const GSTIN: Cues = n(25);
    pub(crate) const CPF: Cues = n(26);
    pub(crate) const CNPJ: Cues = n(27);
    pub(crate) const NIR: Cues = n(28);
    pub(crate) const BSN: Cues = n(29);
    pub(crate) const PESEL: Cues = n(30);
    pub(crate) const DNI: Cues = n(31);
    pub(crate) const SIN: Cues = n(32);
    pub(crate) const STEUER: Cues = n(33);
    pub(crate) const FISCAL: Cues = n(34);
    pub(crate) const VAT: Cues = n(35);
    pub(crate) const NRN: Cues = n(36);
    pub(crate) const NIF: Cues = n(37);
    pub(crate) const SE: Cues = n(38);
    pub(crate) const FI: Cues = n(39);
    pub(crate) const DK: Cues = n(40);
    pub(crate) const NO: Cues = n(41);
    pub(crate) const CZ: Cues = n(42);
    pub(crate) const RO: Cues = n(43);
    pub(crate) const AHV: Cues = n(44);
    pub(crate) const NRIC: Cues = n(45);
    pub(crate) const ABN: Cues = n(46);
    pub(crate) const ACN: Cues = n(47);
    pub(crate) const TFN: Cues = n(48);
    pub(crate) const MEDICARE: Cues = n(49);
    pub(crate) const RRN: Cues = n(50);
    pub(crate) const MYNUMBER: Cues = n(51);
    pub(crate) const CNID: Cues = n(52);
    pub(crate) const TH: Cues = n(53);
    pub(crate) const TR: Cues = n(54);
    pub(crate) const ZA: Cues = n(55);
    pub(crate) const CURP: Cues = n(56);
    pub(crate) const VIN: Cues = n(57);
    pub(crate) const IMEI: Cues = n(58);
    pub(crate) const GEO: Cues = n(59);
    pub(crate) const EIN: Cues = n(60);
    pub(crate) const ITIN: Cues = n(61);
    pub(crate) const ABA: Cues = n(62);
    pub(crate) const NPI: Cues = n(63);
    pub(crate) const DEA: Cues = n(64);
    pub(crate) const MBI: Cues = n(65);
    pub(crate) const PERSONALAUSWEIS: Cues = n(66);
    pub(crate) const SOCIALDE: Cues = n(67);
    pub(crate) const EMAIL: Cues = n(68);
    /// Order, invoice, ticket, hash: what follows is no personal data unless it proves to be.
    pub(crate) const NEGATIVE: Cues = n(69);
    /// Version, firmware, release: four parts with dots are no address.
    pub(crate) const VERSION: Cues = n(70);
    /// One coordinate under its own name (`lat`, `longitude`).
    pub(crate) const LATLON: Cues = n(71);
    /// "public", "primary", "cache": a key that is no secret.
    pub(crate) const HARMLESS: Cues = n(72);
    /// "access", "api", "auth", "client", "private": a key that is one.
    pub(crate) const STRENGTHENS: Cues = n(73);
    pub(crate) const AT: Cues = n(74);
    pub(crate) const DOT: Cues = n(75);
    /// The name of a service before an opaque secret of it.
    pub(crate) const AWS: Cues = n(76);
    pub(crate) const AZURE: Cues = n(77);
    pub(crate) const TWILIO: Cues = n(78);
    /// "no", "number", "nr": may stand between a cue and its value.
    pub(crate) const FILLER: Cues = n(79);

    /// "Flat", "Studio": a unit before a street.
    pub(crate) const UNIT: Cues = n(80);
    /// "rue", "via": a street begins.
    pub(crate) const ROAD: Cues = n(81);
    /// "call", "ring", "text": a short number behind it is dialled.
    pub(crate) const CALL: Cues = n(82);
    /// National numbers that are labelled `NATIONAL_ID`, by country or by what they are called in several.
    pub(crate) const GR: Cues = n(83);
    pub(crate) const RU: Cues = n(84);
    pub(crate) const UA: Cues = n(85);
    pub(crate) const IL: Cues = n(86);
    pub(crate) const BG: Cues = n(87);
    pub(crate) const OIB: Cues = n(88);
    pub(crate) const JMBG: Cues = n(89);
    pub(crate) const BALTIC: Cues = n(90);
    pub(crate) const KENNITALA: Cues = n(91);
    pub(crate) const NIK: Cues = n(92);
    pub(crate) const MYKAD: Cues = n(93);
    pub(crate) const CNIC: Cues = n(94);
    pub(crate) const CUIT: Cues = n(95);
    pub(crate) const RUT: Cues = n(96);
    pub(crate) const CEDULA: Cues = n(97);
    pub(crate) const PPS: Cues = n(98);
    pub(crate) const SVNR: Cues = n(99);
    pub(crate) const UTR: Cues = n(100);
    pub(crate) const IRD: Cues = n(101);
    pub(crate) const RFC: Cues = n(102);
    pub(crate) const TAJ: Cues = n(103);
    pub(crate) const SNILS: Cues = n(104);
    pub(crate) const NIT: Cues = n(105);
    pub(crate) const VN: Cues = n(106);

    /// "Address", "Adresse": the label of an address.
    pub(crate) const LABEL: Cues = n(107);
    /// "lives", "wohnt": a street may follow within a few words.
    pub(crate) const LIVES: Cues = n(108);
    /// The name of a program that is given passwords on its command line.
    pub(crate) const PROGRAM: Cues = n(109);

    /// Cues after which the scanner looks for a value at once.
    pub(crate) const FORWARD: Cues = ROAD
        | UNIT
        | PASSWORD
        | SECRET
        | KEY
        | BEARER
        | BASIC
        | BORN
        | BIC
        | PASSPORT
        | LICENCE
        | AT
        | DOT
        | GEO
        | LATLON
        | LABEL
        | LIVES
        | PROGRAM;
}

static TABLE: LazyLock<CueTable> = LazyLock::new(|| CueTable::compile(words::WORDS));

/// The table, compiled at the first use.
pub(crate) fn table() -> &'static CueTable {
    &TABLE
}
