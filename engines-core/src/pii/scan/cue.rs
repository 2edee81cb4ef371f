//! Cue words: what stands before a value says what it is ("SSN", "Telefonnummer", "order").
//!
//! The scanner looks each word up once, behind a filter on its first two letters and its length, and keeps the last few
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
        | LATLON;
}

const FILTER: usize = 1024;
const SLOTS: usize = 4096;

/// The words, compiled.
pub(crate) struct CueTable {
    /// For a pair of first letters, which lengths there are.
    filter: [u32; FILTER],
    /// Where in `words` a hash points, counted from 1; 0 is free. Small, so that it stays in the nearest cache.
    slots: Box<[u16; SLOTS]>,
    words: Vec<(&'static str, Cues)>,
}

static TABLE: LazyLock<CueTable> = LazyLock::new(|| CueTable::compile(words::WORDS));

/// The table, compiled at the first use.
pub(crate) fn table() -> &'static CueTable {
    &TABLE
}

#[inline]
fn pair(a: u8, b: u8) -> usize {
    ((usize::from(a) << 5) ^ usize::from(b)) & (FILTER - 1)
}

/// A few bytes tell the words apart well enough; what is left is compared.
#[inline]
fn hash(word: &[u8]) -> usize {
    let n = word.len();
    let at = |i: usize| u32::from(word[i] | 0x20);
    let mix = at(0) | at(n - 1) << 8 | at(n / 2) << 16 | at(1) << 24;
    let h = (mix ^ (n as u32) << 13 ^ at(n * 3 / 4) << 5).wrapping_mul(0x9e37_79b1);
    (h >> 20) as usize & (SLOTS - 1)
}

impl CueTable {
    pub(crate) fn compile(lists: &[(&'static str, Cues)]) -> Self {
        let mut this = Self { filter: [0; FILTER], slots: Box::new([0; SLOTS]), words: Vec::new() };
        for &(list, bits) in lists {
            for word in list.split_ascii_whitespace() {
                this.insert(word, bits);
            }
        }
        this
    }

    fn insert(&mut self, word: &'static str, bits: Cues) {
        let bytes = word.as_bytes();
        let &[first, second, ..] = bytes else { return };
        self.filter[pair(first | 0x20, second | 0x20)] |= 1 << bytes.len().min(31);
        let mut slot = hash(bytes);
        loop {
            match self.slots[slot] {
                0 => {
                    self.words.push((word, bits));
                    self.slots[slot] = self.words.len() as u16;
                    return;
                }
                at => {
                    let entry = &mut self.words[usize::from(at) - 1];
                    if entry.0 == word {
                        entry.1 |= bits;
                        return;
                    }
                }
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }

    /// Whether what follows a cue in one identifier leaves it the cue it was.
    pub(crate) fn tail(&self, rest: &[u8]) -> bool {
        const TAILS: [&[u8]; 12] = [
            b"", b"base", b"value", b"plain", b"text", b"new", b"old", b"current", b"raw", b"string", b"header", b"b64",
        ];
        let rest = rest.strip_prefix(b"_").unwrap_or(rest);
        let rest = rest.strip_suffix(b"_").unwrap_or(rest);
        let named = |bits: Cues| bits & bit::FORWARD != 0;
        rest.iter().all(u8::is_ascii_digit)
            || TAILS.iter().any(|t| t.eq_ignore_ascii_case(rest))
            || named(self.get(rest))
    }

    /// Whether some word begins with these letters and has that length.
    #[inline]
    pub(crate) fn may_have(&self, first: u8, second: u8, len: usize) -> bool {
        self.filter[pair(first | 0x20, second | 0x20)] & (1 << len.min(31)) != 0
    }

    /// The cues of a word; 0 for nearly all words.
    #[inline]
    pub(crate) fn get(&self, word: &[u8]) -> Cues {
        let &[first, second, ..] = word else { return 0 };
        if !self.may_have(first, second, word.len()) {
            return 0;
        }
        self.find(word)
    }

    fn find(&self, word: &[u8]) -> Cues {
        if word.len() > 32 {
            return 0;
        }
        let mut slot = hash(word);
        loop {
            let at = self.slots[slot];
            let Some((known, bits)) = usize::from(at).checked_sub(1).and_then(|at| self.words.get(at)) else {
                return 0;
            };
            if known.len() == word.len() && known.as_bytes().eq_ignore_ascii_case(word) {
                return *bits;
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }

    /// The cues in a run of characters that is written without spaces (Chinese, Japanese, Korean, Thai), each with its end.
    pub(crate) fn inside(&self, run: &[u8], mut found: impl FnMut(usize, Cues)) {
        let mut i = 0;
        while i + 2 < run.len() {
            if run[i] < 0xe0 {
                i += 1;
                continue;
            }
            for &(needle, bits) in words::INSIDE {
                if run[i..].starts_with(needle.as_bytes()) {
                    found(i + needle.len(), bits);
                }
            }
            i += 3;
        }
    }
}

const RING: usize = 8;

/// The last few cues, newest last.
#[derive(Clone, Copy)]
pub(crate) struct Ring {
    cues: [(Cues, u32); RING],
    count: u32,
    /// Cues from the key of a JSON value: they hold for the whole of it.
    pub(crate) hint: Cues,
}

impl Ring {
    pub(crate) const fn new(hint: Cues) -> Self {
        Self { cues: [(0, 0); RING], count: 0, hint }
    }

    #[inline]
    pub(crate) fn push(&mut self, bits: Cues, end: usize) {
        self.cues[self.count as usize % RING] = (bits, end as u32);
        self.count = self.count.wrapping_add(1);
        if self.count as usize >= 4 * RING {
            self.count -= RING as u32 * 2;
        }
    }

    /// Forgets all cues but these.
    pub(crate) fn reset(&mut self, bits: Cues, end: usize) {
        self.count = 0;
        if bits != 0 {
            self.push(bits, end);
        }
    }

    /// The cues within `reach` bytes before `at`, the nearest first, each with its distance.
    fn before(&self, at: usize, reach: usize) -> impl Iterator<Item = (Cues, usize)> + '_ {
        let n = (self.count as usize).min(RING);
        (1..=n)
            .map(move |k| self.cues[(self.count as usize - k) % RING])
            .filter(move |(_, end)| *end as usize <= at)
            .map(move |(bits, end)| (bits, at - end as usize))
            .take_while(move |(_, distance)| *distance <= reach)
    }

    /// How far before `at` the nearest of these cues ends, in bytes; a hint from a key is at distance `reach`.
    #[inline]
    pub(crate) fn near(&self, which: Cues, at: usize, reach: usize) -> Option<usize> {
        let found = self.before(at, reach).find(|(bits, _)| bits & which != 0).map(|(_, distance)| distance);
        if found.is_none() && self.hint & which != 0 { Some(reach) } else { found }
    }

    /// All cues within `reach`, with those of the key.
    pub(crate) fn all(&self, at: usize, reach: usize) -> Cues {
        self.before(at, reach).fold(self.hint, |all, (bits, _)| all | bits)
    }

    /// Whether one of `which` is nearer than any of `against`.
    pub(crate) fn prefers(&self, which: Cues, against: Cues, at: usize, reach: usize) -> bool {
        for (bits, _) in self.before(at, reach) {
            if bits & which != 0 {
                return true;
            }
            if bits & against != 0 {
                return false;
            }
        }
        self.hint & which != 0
    }

    /// Moves every position back by `by`, after the front of a buffer was dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        for (bits, end) in &mut self.cues {
            if (*end as usize) < by {
                *bits = 0;
            }
            *end = end.saturating_sub(by as u32);
        }
    }
}
