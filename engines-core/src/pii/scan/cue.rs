//! Cue words: what stands before a value says what it is ("SSN", "Telefonnummer", "order").
//!
//! The scanner looks each word up once, behind a filter on its beginning and its length, and keeps the last few
//! cues in a ring; rules then ask how far back the nearest cue of a kind is. So cues cost the same whatever the text is.

use std::sync::LazyLock;

use super::words;

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

/// A power of two; a word in a hundred or so passes without being in a table of a thousand.
const FILTER: usize = 1 << 16;
const SLOTS: usize = 1 << 12;
/// Longer words are no cues.
const LONGEST: usize = 32;

/// Words, compiled.
pub(crate) struct CueTable {
    /// One bit for each hash of a word's beginning and length: nearly all words end here.
    filter: Box<[u64; FILTER / 64]>,
    /// Where in `words` a hash points, counted from 1; 0 is free. Small, so that it stays in the nearest cache.
    slots: Box<[u16; SLOTS]>,
    words: Vec<(Key, &'static str, Cues)>,
}

/// The cues in scripts without spaces, those with one head next to each other and otherwise in their order.
static INSIDE: [(&str, Cues); words::INSIDE.len()] = {
    let mut sorted = [("", 0); words::INSIDE.len()];
    let mut i = 0;
    while i < sorted.len() {
        sorted[i] = words::INSIDE[i];
        let mut k = i;
        while k > 0 && head(sorted[k - 1].0.as_bytes()) > head(sorted[k].0.as_bytes()) {
            (sorted[k - 1], sorted[k]) = (sorted[k], sorted[k - 1]);
            k -= 1;
        }
        i += 1;
    }
    sorted
};

/// For each head, which of them begin with it: the first and how many.
static HEADS: [(u8, u8); 1 << 12] = {
    let mut heads = [(0, 0); 1 << 12];
    let mut i = 0;
    while i < INSIDE.len() {
        let (first, count) = &mut heads[head(INSIDE[i].0.as_bytes())];
        if *count == 0 {
            *first = i as u8;
        }
        *count += 1;
        i += 1;
    }
    heads
};

/// Twelve bits of a character of three bytes.
const fn head(b: &[u8]) -> usize {
    match b {
        [_, b, c, ..] => (*b as usize & 63) << 6 | *c as usize & 63,
        _ => 0,
    }
}

static TABLE: LazyLock<CueTable> = LazyLock::new(|| CueTable::compile(words::WORDS));

/// The table, compiled at the first use.
pub(crate) fn table() -> &'static CueTable {
    &TABLE
}

/// The first eight bytes of a word in small letters (ASCII only), and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u64, usize);

/// The first bytes of eight.
const HEAD: [u64; 9] =
    [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff, 0xff_ffff_ffff, 0xffff_ffff_ffff, 0xff_ffff_ffff_ffff, u64::MAX];

impl Key {
    pub(crate) fn of(word: &[u8]) -> Self {
        let head = match word {
            [a, b, c, d, e, f, g, h, ..] => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            [a, b, c, d, ..] => {
                let tail = word.last_chunk().map_or(0, |tail| u32::from_le_bytes(*tail));
                u64::from(u32::from_le_bytes([*a, *b, *c, *d])) | u64::from(tail) << (8 * (word.len() - 4))
            }
            _ => word.iter().rev().fold(0, |head, b| head << 8 | u64::from(*b)),
        };
        Self(lower(head), word.len())
    }

    /// The key of the word at `start..end` of a text.
    #[inline]
    pub(crate) fn at(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        match text.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(head) => Self(lower(u64::from_le_bytes(*head) & HEAD[len.min(8)]), len),
            None => Self::of(text.get(start..end).unwrap_or_default()),
        }
    }

    /// The same for a word of letters.
    #[inline]
    pub(crate) fn of_plain(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        match text.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(head) => Self((u64::from_le_bytes(*head) | 0x2020_2020_2020_2020) & HEAD[len.min(8)], len),
            None => Self::of(text.get(start..end).unwrap_or_default()),
        }
    }

    #[inline]
    const fn hash(self) -> u64 {
        (self.0 ^ (self.1 as u64) << 59).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// Eight bytes with the capitals of ASCII made small.
#[inline]
const fn lower(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = eight & (0x7f * ONES);
    let from_a = low + (0x80 - b'A' as u64) * ONES;
    let past_z = low + (0x7f - b'Z' as u64) * ONES;
    let capital = (from_a ^ past_z) & !eight & (0x80 * ONES);
    eight | capital >> 2
}

impl CueTable {
    pub(crate) fn compile(lists: &[(&'static str, Cues)]) -> Self {
        let mut this = Self { filter: Box::new([0; FILTER / 64]), slots: Box::new([0; SLOTS]), words: Vec::new() };
        for &(list, bits) in lists {
            for word in list.split_ascii_whitespace() {
                this.insert(word, bits);
            }
        }
        this
    }

    fn insert(&mut self, word: &'static str, bits: Cues) {
        let key = Key::of(word.as_bytes());
        if !(2..=LONGEST).contains(&key.1) {
            return;
        }
        let bit = (key.hash() >> 48) as usize;
        self.filter[bit / 64] |= 1 << (bit % 64);
        let mut slot = Self::slot(key);
        while let Some(at) = usize::from(self.slots[slot]).checked_sub(1) {
            let (_, known, cues) = &mut self.words[at];
            if *known == word {
                *cues |= bits;
                return;
            }
            slot = (slot + 1) % SLOTS;
        }
        self.words.push((key, word, bits));
        self.slots[slot] = self.words.len() as u16;
    }

    #[inline]
    const fn slot(key: Key) -> usize {
        (key.hash() >> 32) as usize % SLOTS
    }

    /// What is left of a cue in an identifier that goes on with `rest`.
    #[inline]
    pub(crate) fn with_tail(&self, bits: Cues, rest: &[u8]) -> Cues {
        if bits & bit::FORWARD == 0 || self.tail(rest) { bits } else { bits & !bit::FORWARD }
    }

    /// Whether what follows a cue in one identifier leaves it the cue it was.
    fn tail(&self, rest: &[u8]) -> bool {
        const TAILS: [&[u8]; 15] = [
            b"", b"base", b"value", b"plain", b"text", b"new", b"old", b"current", b"raw", b"string", b"header",
            b"b64", b"date", b"day", b"dt",
        ];
        let rest = rest.strip_prefix(b"_").unwrap_or(rest);
        let rest = rest.strip_suffix(b"_").unwrap_or(rest);
        let named = |bits: Cues| bits & bit::FORWARD != 0;
        rest.iter().all(u8::is_ascii_digit)
            || TAILS.iter().any(|t| t.eq_ignore_ascii_case(rest))
            || named(self.get(rest))
    }

    /// Whether a word with that key may be in the table.
    #[inline]
    pub(crate) fn may_have(&self, key: Key) -> bool {
        let bit = (key.hash() >> 48) as usize;
        self.filter[bit / 64] >> (bit % 64) & 1 != 0
    }

    /// The cues of a word; 0 for nearly all words.
    #[inline]
    pub(crate) fn get(&self, word: &[u8]) -> Cues {
        let key = Key::of(word);
        if self.may_have(key) { self.find(key, word) } else { 0 }
    }

    /// The cues of the word at `start..end` of a text.
    #[inline]
    pub(crate) fn get_at(&self, text: &[u8], start: usize, end: usize) -> Cues {
        let key = Key::at(text, start, end);
        let bits = if self.may_have(key) { self.find(key, &text[start..end]) } else { 0 };
        // Words of two-byte characters: `Родился`, `Ölçü`.
        if bits == 0 && matches!(text[start], 0xc3..=0xc5 | 0xce | 0xd0) {
            return self.small(&text[start..end]);
        }
        bits
    }

    /// The cues of a word that begins with a capital outside ASCII.
    #[inline(never)]
    fn small(&self, word: &[u8]) -> Cues {
        let Some(text) = std::str::from_utf8(word).ok().filter(|text| text.len() <= LONGEST) else { return 0 };
        if !text.starts_with(char::is_uppercase) {
            return 0;
        }
        let (mut small, mut len) = ([0; LONGEST + 4], 0);
        for c in text.chars().flat_map(char::to_lowercase) {
            if len + c.len_utf8() > LONGEST {
                return 0;
            }
            len += c.encode_utf8(&mut small[len..]).len();
        }
        self.get(&small[..len])
    }

    /// The cues of a word with that key.
    pub(crate) fn find(&self, key: Key, word: &[u8]) -> Cues {
        let mut slot = Self::slot(key);
        loop {
            let at = self.slots[slot];
            let Some((known, text, bits)) = usize::from(at).checked_sub(1).and_then(|at| self.words.get(at)) else {
                return 0;
            };
            if *known == key
                && (word.len() <= 8
                    || text
                        .as_bytes()
                        .get(8..)
                        .is_some_and(|t| word.get(8..).is_some_and(|w| t.eq_ignore_ascii_case(w))))
            {
                return *bits;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The cues in a run of characters that is written without spaces (Chinese, Japanese, Korean, Thai), each with its end.
    pub(crate) fn inside(run: &[u8], mut found: impl FnMut(usize, Cues)) {
        let mut i = 0;
        while i + 2 < run.len() {
            if run[i] < 0xe0 {
                i += 1;
                continue;
            }
            let (first, count) = HEADS[head(&run[i..])];
            for &(needle, bits) in INSIDE.iter().skip(usize::from(first)).take(usize::from(count)) {
                if run[i..].starts_with(needle.as_bytes()) {
                    found(i + needle.len(), bits);
                }
            }
            i += 3;
        }
    }
}
