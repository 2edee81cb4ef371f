//! The kinds of cue words.

/// The meanings of a cue: a set of the constants in [`bit`].
pub(crate) type Cues = u128;

/// The kinds of cue.
pub(crate) mod bit {
    use super::Cues;

    const fn flag(index: u32) -> Cues {
        1 << index
    }
    pub(crate) const PHONE: Cues = flag(0);
    /// A word that often precedes a phone number and often other numbers.
    pub(crate) const NUMBER: Cues = flag(1);
    pub(crate) const CARD: Cues = flag(2);
    pub(crate) const BANK: Cues = flag(3);
    pub(crate) const SSN: Cues = flag(4);
    pub(crate) const IP: Cues = flag(5);
    pub(crate) const MAC: Cues = flag(6);
    pub(crate) const WALLET: Cues = flag(7);
    pub(crate) const BORN: Cues = flag(8);
    pub(crate) const ZIP: Cues = flag(9);
    pub(crate) const ADDRESS: Cues = flag(10);
    pub(crate) const PASSWORD: Cues = flag(11);
    pub(crate) const SECRET: Cues = flag(12);
    pub(crate) const KEY: Cues = flag(13);
    pub(crate) const BEARER: Cues = flag(14);
    pub(crate) const BASIC: Cues = flag(15);
    pub(crate) const BIC: Cues = flag(16);
    pub(crate) const PASSPORT: Cues = flag(17);
    pub(crate) const LICENCE: Cues = flag(18);
    pub(crate) const NHS: Cues = flag(19);
    pub(crate) const NINO: Cues = flag(20);
    pub(crate) const SORT_CODE: Cues = flag(21);
    /// National, tax or personal numbers without a country.
    pub(crate) const NATIONAL: Cues = flag(22);
    pub(crate) const AADHAAR: Cues = flag(23);
    pub(crate) const PAN: Cues = flag(24);
    pub(crate) const GSTIN: Cues = flag(25);
    pub(crate) const CPF: Cues = flag(26);
    pub(crate) const CNPJ: Cues = flag(27);
    pub(crate) const NIR: Cues = flag(28);
    pub(crate) const BSN: Cues = flag(29);
    pub(crate) const PESEL: Cues = flag(30);
    pub(crate) const DNI: Cues = flag(31);
    pub(crate) const SIN: Cues = flag(32);
    pub(crate) const STEUER: Cues = flag(33);
    pub(crate) const FISCAL: Cues = flag(34);
    pub(crate) const VAT: Cues = flag(35);
    pub(crate) const NRN: Cues = flag(36);
    pub(crate) const NIF: Cues = flag(37);
    pub(crate) const SWEDEN: Cues = flag(38);
    pub(crate) const FINLAND: Cues = flag(39);
    pub(crate) const DENMARK: Cues = flag(40);
    pub(crate) const NORWAY: Cues = flag(41);
    pub(crate) const CZECHIA: Cues = flag(42);
    pub(crate) const ROMANIA: Cues = flag(43);
    pub(crate) const AHV: Cues = flag(44);
    pub(crate) const NRIC: Cues = flag(45);
    pub(crate) const ABN: Cues = flag(46);
    pub(crate) const ACN: Cues = flag(47);
    pub(crate) const TFN: Cues = flag(48);
    pub(crate) const MEDICARE: Cues = flag(49);
    pub(crate) const RRN: Cues = flag(50);
    pub(crate) const MYNUMBER: Cues = flag(51);
    pub(crate) const CHINA_ID: Cues = flag(52);
    pub(crate) const THAILAND: Cues = flag(53);
    pub(crate) const TURKEY: Cues = flag(54);
    pub(crate) const SOUTH_AFRICA: Cues = flag(55);
    pub(crate) const CURP: Cues = flag(56);
    pub(crate) const VIN: Cues = flag(57);
    pub(crate) const IMEI: Cues = flag(58);
    pub(crate) const GEO: Cues = flag(59);
    pub(crate) const EIN: Cues = flag(60);
    pub(crate) const ITIN: Cues = flag(61);
    pub(crate) const ABA: Cues = flag(62);
    pub(crate) const NPI: Cues = flag(63);
    pub(crate) const DEA: Cues = flag(64);
    pub(crate) const MBI: Cues = flag(65);
    pub(crate) const PERSONALAUSWEIS: Cues = flag(66);
    pub(crate) const GERMAN_SOCIAL: Cues = flag(67);
    pub(crate) const EMAIL: Cues = flag(68);
    /// Order, invoice, ticket, hash: the value that follows is not personal data unless its form proves it.
    pub(crate) const NEGATIVE: Cues = flag(69);
    /// Version, firmware, release: four parts with dots are not an address.
    pub(crate) const VERSION: Cues = flag(70);
    /// One coordinate under its own name (`lat`, `longitude`).
    pub(crate) const COORDINATE: Cues = flag(71);
    /// "public", "primary", "cache": a key that is not secret.
    pub(crate) const NOT_SECRET: Cues = flag(72);
    /// "access", "api", "auth", "client", "private": a key that is secret.
    pub(crate) const SECRET_QUALIFIER: Cues = flag(73);
    pub(crate) const AT_WORD: Cues = flag(74);
    pub(crate) const DOT_WORD: Cues = flag(75);
    /// The name of a service before an opaque secret of that service.
    pub(crate) const AWS: Cues = flag(76);
    pub(crate) const AZURE: Cues = flag(77);
    pub(crate) const TWILIO: Cues = flag(78);
    /// "no", "number", "nr": may stand between a cue and its value.
    pub(crate) const FILLER: Cues = flag(79);

    /// "Flat", "Studio": a unit before a street.
    pub(crate) const UNIT: Cues = flag(80);
    /// "rue", "via": a street begins.
    pub(crate) const ROAD: Cues = flag(81);
    /// "call", "ring", "text": a short number after it is a phone number.
    pub(crate) const CALL: Cues = flag(82);
    /// National numbers that are reported as `NATIONAL_ID`, by country or by a name used in several countries.
    pub(crate) const GREECE: Cues = flag(83);
    pub(crate) const RUSSIA: Cues = flag(84);
    pub(crate) const UKRAINE: Cues = flag(85);
    pub(crate) const ISRAEL: Cues = flag(86);
    pub(crate) const BULGARIA: Cues = flag(87);
    pub(crate) const OIB: Cues = flag(88);
    pub(crate) const JMBG: Cues = flag(89);
    pub(crate) const BALTIC: Cues = flag(90);
    pub(crate) const KENNITALA: Cues = flag(91);
    pub(crate) const NIK: Cues = flag(92);
    pub(crate) const MYKAD: Cues = flag(93);
    pub(crate) const CNIC: Cues = flag(94);
    pub(crate) const CUIT: Cues = flag(95);
    pub(crate) const RUT: Cues = flag(96);
    pub(crate) const CEDULA: Cues = flag(97);
    pub(crate) const PPS: Cues = flag(98);
    pub(crate) const SVNR: Cues = flag(99);
    pub(crate) const UTR: Cues = flag(100);
    pub(crate) const IRD: Cues = flag(101);
    pub(crate) const RFC: Cues = flag(102);
    pub(crate) const TAJ: Cues = flag(103);
    pub(crate) const SNILS: Cues = flag(104);
    pub(crate) const NIT: Cues = flag(105);
    pub(crate) const VIETNAM: Cues = flag(106);

    /// "Address", "Adresse": the label of an address.
    pub(crate) const LABEL: Cues = flag(107);
    /// "lives", "wohnt": a street may follow within a few words.
    pub(crate) const LIVES: Cues = flag(108);
    /// The name of a program that takes passwords on its command line.
    pub(crate) const PROGRAM: Cues = flag(109);

    /// Cues after which the scanner searches for a value at once.
    pub(crate) const VALUE_FOLLOWS: Cues = ROAD
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
        | AT_WORD
        | DOT_WORD
        | GEO
        | COORDINATE
        | LABEL
        | LIVES
        | PROGRAM;
}
