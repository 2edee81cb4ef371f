//! Tables of words, searched behind a filter on a word's beginning and its length.

use super::cue_bits::{Cues, bit};
use super::cue_words;

/// The most words of a table.
const MAX_SLOTS: usize = 1 << 12;
const FILTER_BITS: usize = 16 * MAX_SLOTS;
/// The length of the longest cue.
const MAX_WORD_BYTES: usize = 32;

/// Compiled words. The table is small, so that the frequently used part stays in the nearest cache.
pub(crate) struct CueTable {
    /// A filter with one bit for each hash of a word's beginning and length; nearly all words are rejected here. It has
    /// at least 32 bits for each word of the table.
    filter: Box<[u64; FILTER_BITS / 64]>,
    /// The shift that selects the bits of a hash. A small table uses only the beginning of the array.
    filter_shift: u32,
    /// The index in `words` for a hash, counted from 1; 0 is free. It has at least twice as many entries as there are
    /// words.
    slots: Box<[u16; MAX_SLOTS]>,
    slots_mask: usize,
    words: Vec<TableWord>,
    /// The words as they were written.
    texts: Vec<&'static str>,
    /// The sets of meanings, each once.
    sets: Vec<Cues>,
}

/// What distinguishes a word of a table from others, except for the end of a long one.
struct TableWord {
    head: u64,
    len: u16,
    /// Index into the table's sets.
    set: u16,
}

/// The cues in scripts without spaces. Those with the same first character are adjacent and otherwise in their order.
static SORTED_SPACELESS: [(&str, Cues); cue_words::SPACELESS_CUES.len()] = {
    let mut sorted = [("", 0); cue_words::SPACELESS_CUES.len()];
    let mut i = 0;
    while i < sorted.len() {
        sorted[i] = cue_words::SPACELESS_CUES[i];
        let mut k = i;
        while k > 0 && head(sorted[k - 1].0.as_bytes()) > head(sorted[k].0.as_bytes()) {
            (sorted[k - 1], sorted[k]) = (sorted[k], sorted[k - 1]);
            k -= 1;
        }
        i += 1;
    }
    sorted
};

/// For each first character, the index of the first of its cues and their number.
static SPACELESS_BY_HEAD: [(u8, u8); 1 << 12] = {
    let mut heads = [(0, 0); 1 << 12];
    let mut i = 0;
    while i < SORTED_SPACELESS.len() {
        let (first, count) = &mut heads[head(SORTED_SPACELESS[i].0.as_bytes())];
        if *count == 0 {
            *first = i as u8;
        }
        *count += 1;
        i += 1;
    }
    heads
};

/// Twelve bits of a character of three bytes.
const fn head(bytes: &[u8]) -> usize {
    match bytes {
        [_, b, c, ..] => (*b as usize & 63) << 6 | *c as usize & 63,
        _ => 0,
    }
}

/// The first eight bytes of a word in small letters (ASCII only), and its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WordKey(u64, usize);

/// The first bytes of eight.
const HEAD_MASKS: [u64; 9] =
    [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff, 0xff_ffff_ffff, 0xffff_ffff_ffff, 0xff_ffff_ffff_ffff, u64::MAX];

impl WordKey {
    pub(crate) fn from_word(word: &[u8]) -> Self {
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
    pub(crate) fn from_text(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        match text.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(head) => Self(lower(u64::from_le_bytes(*head) & HEAD_MASKS[len.min(8)]), len),
            None => Self::from_word(text.get(start..end).unwrap_or_default()),
        }
    }

    /// The same for a word of letters.
    #[inline]
    pub(crate) fn from_letters(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        match text.get(start..).and_then(|rest| rest.first_chunk()) {
            Some(head) => Self((u64::from_le_bytes(*head) | 0x2020_2020_2020_2020) & HEAD_MASKS[len.min(8)], len),
            None => Self::from_word(text.get(start..end).unwrap_or_default()),
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
        let count = lists.iter().map(|(list, _)| list.split_ascii_whitespace().count()).sum::<usize>();
        let slots = (2 * count.max(2)).next_power_of_two().min(MAX_SLOTS);
        let mut this = Self {
            filter: Box::new([0; FILTER_BITS / 64]),
            filter_shift: u64::BITS - (16 * slots).trailing_zeros(),
            slots: Box::new([0; MAX_SLOTS]),
            slots_mask: slots - 1,
            words: Vec::with_capacity(count),
            texts: Vec::with_capacity(count),
            sets: Vec::new(),
        };
        for &(list, bits) in lists {
            for word in list.split_ascii_whitespace() {
                this.insert(word, bits);
            }
        }
        this
    }

    fn insert(&mut self, word: &'static str, bits: Cues) {
        let key = WordKey::from_word(word.as_bytes());
        if !(2..=MAX_WORD_BYTES).contains(&key.1) {
            return;
        }
        let bit = self.filter_bit(key);
        self.filter[bit / 64] |= 1 << (bit % 64);
        let mut slot = self.first_slot(key);
        while let Some(at) = usize::from(self.slots[slot]).checked_sub(1) {
            if self.texts[at] == word {
                let both = self.sets[usize::from(self.words[at].set)] | bits;
                self.words[at].set = self.intern_set(both);
                return;
            }
            slot = (slot + 1) & self.slots_mask;
        }
        let set = self.intern_set(bits);
        self.words.push(TableWord { head: key.0, len: key.1 as u16, set });
        self.texts.push(word);
        self.slots[slot] = self.words.len() as u16;
    }

    /// The index of a set.
    fn intern_set(&mut self, bits: Cues) -> u16 {
        let at = self.sets.iter().position(|known| *known == bits).unwrap_or_else(|| {
            self.sets.push(bits);
            self.sets.len() - 1
        });
        at as u16
    }

    #[inline]
    fn filter_bit(&self, key: WordKey) -> usize {
        (key.hash() >> self.filter_shift) as usize % FILTER_BITS
    }

    #[inline]
    fn first_slot(&self, key: WordKey) -> usize {
        (key.hash() >> 32) as usize & self.slots_mask
    }

    /// The meanings of a cue in an identifier that continues with `rest`.
    #[inline]
    pub(crate) fn cues_with_tail(&self, bits: Cues, rest: &[u8]) -> Cues {
        if bits & bit::VALUE_FOLLOWS == 0 || self.is_neutral_tail(rest) { bits } else { bits & !bit::VALUE_FOLLOWS }
    }

    /// Whether the rest of the identifier leaves the cue its meaning.
    fn is_neutral_tail(&self, rest: &[u8]) -> bool {
        const TAILS: [&[u8]; 15] = [
            b"", b"base", b"value", b"plain", b"text", b"new", b"old", b"current", b"raw", b"string", b"header",
            b"b64", b"date", b"day", b"dt",
        ];
        let rest = rest.strip_prefix(b"_").unwrap_or(rest);
        let rest = rest.strip_suffix(b"_").unwrap_or(rest);
        let named = |bits: Cues| bits & bit::VALUE_FOLLOWS != 0;
        rest.iter().all(u8::is_ascii_digit)
            || TAILS.iter().any(|t| t.eq_ignore_ascii_case(rest))
            || named(self.get(rest))
    }

    /// Whether a word with that key may be in the table.
    #[inline]
    pub(crate) fn may_have(&self, key: WordKey) -> bool {
        let bit = self.filter_bit(key);
        self.filter[bit / 64] >> (bit % 64) & 1 != 0
    }

    /// The meanings of a word as a cue; 0 for nearly all words.
    #[inline]
    pub(crate) fn get(&self, word: &[u8]) -> Cues {
        let key = WordKey::from_word(word);
        if self.may_have(key) { self.find(key, word) } else { 0 }
    }

    /// The cues of the word at `start..end` of a text.
    #[inline]
    pub(crate) fn get_at(&self, text: &[u8], start: usize, end: usize) -> Cues {
        let key = WordKey::from_text(text, start, end);
        if self.may_have(key) { self.find(key, &text[start..end]) } else { 0 }
    }

    /// The cues of a word that begins with a capital outside ASCII: `Родился`, `Ölçü`. Such letters have two bytes.
    #[inline(never)]
    pub(crate) fn get_capitalized(&self, word: &[u8]) -> Cues {
        if !matches!(word.first(), Some(0xc3..=0xc5 | 0xce | 0xd0)) {
            return 0;
        }
        let Some(text) = std::str::from_utf8(word).ok().filter(|text| text.len() <= MAX_WORD_BYTES) else { return 0 };
        if !text.starts_with(char::is_uppercase) {
            return 0;
        }
        let (mut small, mut len) = ([0; MAX_WORD_BYTES + 4], 0);
        for c in text.chars().flat_map(char::to_lowercase) {
            if len + c.len_utf8() > MAX_WORD_BYTES {
                return 0;
            }
            len += c.encode_utf8(&mut small[len..]).len();
        }
        self.get(&small[..len])
    }

    /// The meanings of the word with that key.
    #[inline]
    pub(crate) fn find(&self, key: WordKey, word: &[u8]) -> Cues {
        let mut slot = self.first_slot(key);
        loop {
            let at = usize::from(self.slots[slot % MAX_SLOTS]);
            let Some(known) = at.checked_sub(1).and_then(|at| self.words.get(at)) else { return 0 };
            if known.head == key.0
                && usize::from(known.len) == key.1
                && (word.len() <= 8 || self.long_word_matches(at - 1, word))
            {
                return self.sets.get(usize::from(known.set)).copied().unwrap_or(0);
            }
            slot = (slot + 1) & self.slots_mask;
        }
    }

    /// Whether a long word ends like the word of the table.
    fn long_word_matches(&self, at: usize, word: &[u8]) -> bool {
        let tail = |text: &&'static str| {
            text.as_bytes().get(8..).is_some_and(|t| word.get(8..).is_some_and(|w| t.eq_ignore_ascii_case(w)))
        };
        self.texts.get(at).is_some_and(tail)
    }

    /// The cues in a run of characters that is written without spaces (Chinese, Japanese, Korean, Thai), each with its
    /// end.
    pub(crate) fn for_each_spaceless(run: &[u8], mut found: impl FnMut(usize, Cues)) {
        let mut i = 0;
        while i + 2 < run.len() {
            if run[i] < 0xe0 {
                i += 1;
                continue;
            }
            let (first, count) = SPACELESS_BY_HEAD[head(&run[i..])];
            for &(needle, bits) in SORTED_SPACELESS.iter().skip(usize::from(first)).take(usize::from(count)) {
                if run[i..].starts_with(needle.as_bytes()) {
                    found(i + needle.len(), bits);
                }
            }
            i += 3;
        }
    }
}
