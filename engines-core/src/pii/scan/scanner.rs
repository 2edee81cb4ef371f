//! The scanner: one pass over the bytes, which stops at words and at a few anchor bytes and asks the rules there.
//!
//! Every rule looks a bounded number of bytes around its place, or eats what it looks at, so that the work is linear in the
//! text whatever the text is. `LOOKAHEAD` is the bound a stream has to wait for.

use super::class::{ALPHA, ANCHOR, CLASS, DIGIT, HIGH, LOWER, NONHEX, UNDER, UPPER, WORD, is_word};
use super::cue::{self, CueTable, Cues, Ring, bit};
use super::hits::{Hit, Hits};
use super::normal;

use crate::pii::entity::Kind;
use crate::pii::rule;

/// How far a rule may look ahead, in bytes; rules that need more say that they starve.
pub(crate) const LOOKAHEAD: usize = 384;
/// How far a rule may look back, in bytes.
pub(crate) const LOOKBACK: usize = 192;
/// Longer words are no candidates for anything but long tokens.
pub(crate) const MAX_WORD: usize = 1024;

/// A scan over one text or over a part of a stream.
pub(crate) struct Scan<'a> {
    pub(crate) b: &'a [u8],
    /// Nothing comes after `b`.
    pub(crate) last: bool,
    /// A rule ran into the end of `b` and needs more to decide.
    pub(crate) starved: bool,
    /// The text may hold encoded characters; stop when one shows.
    pub(crate) stop_at_encoded: bool,
    pub(crate) encoded: bool,
    pub(crate) hits: Hits,
    pub(crate) cues: Ring,
    pub(crate) pos: usize,
    /// Inside a word that is longer than [`MAX_WORD`].
    pub(crate) endless: bool,
    deny: Option<&'a crate::pii::lists::DenyTerms>,
    table: &'static CueTable,
    /// How many bytes were looked at, for the test that this grows as the text does.
    #[cfg(test)]
    pub(crate) looks: std::cell::Cell<u64>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(b: &'a [u8], hint: Cues, deny: Option<&'a crate::pii::lists::DenyTerms>) -> Self {
        Self {
            b,
            last: true,
            starved: false,
            stop_at_encoded: true,
            encoded: false,
            hits: Hits::new(),
            cues: Ring::new(hint),
            pos: 0,
            endless: false,
            deny,
            table: cue::table(),
            #[cfg(test)]
            looks: std::cell::Cell::new(0),
        }
    }

    /// The byte at `i`; 0 beyond the end.
    #[inline]
    pub(crate) fn at(&self, i: usize) -> u8 {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        match self.b.get(i) {
            Some(b) => *b,
            None => 0,
        }
    }

    /// The byte before `i`; 0 before the start.
    #[inline]
    pub(crate) fn before(&self, i: usize) -> u8 {
        if i == 0 { 0 } else { self.at(i - 1) }
    }

    /// Whether a word ends right before `i`, other than one that was found: the mask of that would be no word.
    pub(crate) fn word_before(&self, i: usize) -> bool {
        i > 0 && is_word(self.at(i - 1)) && self.hits.as_slice().last().is_none_or(|hit| hit.end as usize != i)
    }

    pub(crate) fn starts(&self, i: usize, with: &[u8]) -> bool {
        self.b.get(i..).is_some_and(|rest| rest.starts_with(with))
    }

    pub(crate) fn hit(&mut self, kind: Kind, start: usize, end: usize, score: u8) -> usize {
        if self.hits.add(Hit::new(kind, start, end, score)) {
            self.carry(kind, end);
        }
        end
    }

    /// What was found, or the mask of it, is all the context there is for what follows, so that a masked text reads like the original.
    pub(crate) fn carry(&mut self, kind: Kind, end: usize) {
        self.cues.reset(rule::carried(kind), end);
    }

    /// Looks at a value whose key says what it is.
    pub(crate) fn begin(&mut self) {
        let bits = self.cues.hint & bit::FORWARD;
        if bits != 0
            && let Some(to) = rule::forward::value(self, bits)
        {
            self.pos = to;
        }
    }

    /// Scans on as far as it can decide.
    pub(crate) fn run(&mut self) {
        let b = self.b;
        let n = b.len();
        let limit = if self.last { n } else { n.saturating_sub(LOOKAHEAD) };
        let plain_words = self.deny.is_none();
        let mut i = self.pos;
        while i < limit {
            let first = CLASS[usize::from(b[i])];
            if first & WORD == 0 {
                if first & ANCHOR == 0 {
                    i += 1;
                    continue;
                }
                let saved = if self.last { None } else { Some((self.hits.as_slice().len(), self.cues)) };
                let next = self.anchor(i);
                if next > i + 1 && self.stop_at_encoded && normal::anywhere(&b[i..next]) {
                    self.encoded = true;
                }
                if self.encoded && self.stop_at_encoded {
                    return;
                }
                if self.starved
                    && let Some((hits, cues)) = saved
                {
                    self.rewind(hits, cues, i);
                    return;
                }
                i = next;
                continue;
            }
            let start = i;
            let cap = n.min(start + MAX_WORD);
            let mut flags = first;
            i += 1;
            while i < cap {
                let c = CLASS[usize::from(b[i])];
                if c & WORD == 0 {
                    break;
                }
                flags |= c;
                i += 1;
            }
            if i == cap {
                if i == n && !self.last && i - start < MAX_WORD {
                    self.starved = true;
                    self.pos = start;
                    return;
                }
                if i - start == MAX_WORD {
                    if flags & HIGH != 0 {
                        while i > start + 1 && self.at(i) & 0xc0 == 0x80 {
                            i -= 1;
                        }
                    }
                    self.endless = true;
                    if flags & HIGH != 0 && self.stop_at_encoded && normal::needed(&b[start..i]) {
                        self.encoded = true;
                        return;
                    }
                    continue;
                }
            }
            if self.endless {
                self.endless = false;
                if flags & HIGH == 0 {
                    continue;
                }
            }
            // Most words are plain and mean nothing here.
            if flags & (DIGIT | HIGH | UNDER) == 0 && plain_words && !self.matters(start, i, flags) {
                continue;
            }
            let saved = if self.last { None } else { Some((self.hits.as_slice().len(), self.cues)) };
            let next = self.word(start, i, flags);
            if next > i && self.stop_at_encoded && normal::anywhere(&b[i..next]) {
                self.encoded = true;
            }
            if self.encoded && self.stop_at_encoded {
                return;
            }
            if self.starved
                && let Some((hits, cues)) = saved
            {
                self.rewind(hits, cues, start);
                return;
            }
            i = next;
        }
        self.pos = i;
    }

    /// Undoes what was decided at a place where the text did not reach.
    fn rewind(&mut self, hits: usize, cues: Ring, to: usize) {
        self.hits.truncate(hits);
        self.cues = cues;
        self.pos = to;
    }

    fn anchor(&mut self, i: usize) -> usize {
        match self.b[i] {
            b'@' => rule::email::at_sign(self, i),
            b':' => rule::url::colon(self, i),
            b'-' => rule::pem::dashes(self, i),
            b'[' => rule::mask_end(self, i).unwrap_or(i + 1),
            _ => {
                if self.stop_at_encoded && normal::encoded_at(self.b, i) {
                    self.encoded = true;
                }
                i + 1
            }
        }
    }

    /// Whether a word of letters may be a cue, the beginning of a secret, or a group of an address.
    #[inline]
    fn matters(&self, start: usize, end: usize, flags: u8) -> bool {
        let word = &self.b[start..end];
        let &[first, second, ..] = word else { return matches!(self.at(end), b':' | b'-' | b'.') };
        self.table.may_have(first, second, word.len())
            || rule::secret::may_begin(first, second)
            || flags & NONHEX == 0 && matches!(self.at(end), b':' | b'-' | b'.')
            || flags & (UPPER | LOWER) == UPPER | LOWER && word[1..].iter().any(u8::is_ascii_uppercase)
    }

    #[inline(never)]
    fn word(&mut self, start: usize, mut end: usize, mut flags: u8) -> usize {
        if flags & HIGH != 0 {
            if self.stop_at_encoded && normal::needed(&self.b[start..end]) {
                self.encoded = true;
                return end;
            }
            if self.b[start..end].iter().any(|&b| b >= 0xe0) {
                let (cut, bits) = self.split_script(start, end);
                if bits & bit::FORWARD != 0
                    && let Some(to) = rule::forward::after(self, start, cut, bits)
                {
                    return to;
                }
                if cut < end || flags & (DIGIT | ALPHA) == 0 {
                    end = cut;
                    flags = self.b[start..end].iter().fold(0, |f, b| f | CLASS[usize::from(*b)]);
                }
            }
        }
        if let Some(deny) = self.deny
            && let Some(to) = deny.at(self.b, start)
        {
            return self.hit(Kind::DenyList, start, to, 100);
        }
        if flags & (ALPHA | HIGH) == 0 {
            return rule::number::digits(self, start, end, flags);
        }
        if flags & DIGIT != 0
            && let Some(to) = rule::token::mixed(self, start, end, flags)
        {
            return to;
        }
        if let Some(to) = rule::secret::prefixed(self, start, end) {
            return to;
        }
        if flags & NONHEX == 0
            && let Some(to) = rule::address_hex(self, start, end)
        {
            return to;
        }
        self.cue(start, end, flags)
    }

    /// In writing without spaces a word ends where the script changes.
    fn split_script(&mut self, start: usize, end: usize) -> (usize, Cues) {
        let wide = |b: u8| b >= 0xe0;
        let ascii = |b: u8| b < 0x80;
        let run = &self.b[start..end];
        let mut i = 0;
        let first_ascii = ascii(run[0]);
        while i < run.len() {
            let b = run[i];
            if first_ascii && wide(b) || !first_ascii && ascii(b) && (i > 0 && run[..i].iter().any(|&b| wide(b))) {
                break;
            }
            i += 1;
        }
        let cut = start + i;
        let mut all = 0;
        if !first_ascii {
            let (run, ring) = (&self.b[start..cut], &mut self.cues);
            self.table.inside(run, |at, bits| {
                ring.push(bits, start + at);
                all |= bits;
            });
        }
        (cut, all)
    }

    /// Looks the word up, and its parts if it is written `like_this` or `likeThis`, and starts what follows a cue.
    #[inline]
    fn cue(&mut self, start: usize, end: usize, flags: u8) -> usize {
        let word = &self.b[start..end];
        let mut bits = self.table.get(word);
        if bits != 0 {
            self.cues.push(bits, end);
        } else if composed(word, flags) {
            let (table, ring) = (self.table, &mut self.cues);
            parts(table, word, |to, found| {
                ring.push(found, start + to);
                // `password_len` is no password; `password2` and `secret_key_base` are.
                bits |= if table.tail(&word[to..]) { found } else { found & !bit::FORWARD };
            });
        }
        if bits & (bit::FORWARD | bit::ZIP) == 0 {
            return end;
        }
        if bits & bit::ZIP != 0 && self.before(start) == b'.' {
            // `archive.zip` is a file.
            self.cues.push(bit::NEGATIVE, end);
        }
        if bits & bit::FORWARD == 0 {
            return end;
        }
        rule::forward::after(self, start, end, bits).unwrap_or(end)
    }

    /// The cues of a JSON key, for the value under it.
    pub(crate) fn hint_of(key: &[u8]) -> Cues {
        if key.len() > 64 {
            return 0;
        }
        let table = cue::table();
        let (mut i, mut all) = (0, 0);
        while i < key.len() {
            let start = i;
            let mut flags = 0;
            while i < key.len() && is_word(key[i]) {
                flags |= CLASS[usize::from(key[i])];
                i += 1;
            }
            if i == start {
                i += 1;
                continue;
            }
            let word = &key[start..i];
            if flags & HIGH != 0 && key[start] >= 0xe0 {
                table.inside(word, |_, bits| all |= bits);
            }
            let bits = table.get(word);
            all |= bits;
            if bits == 0 && composed(word, flags) {
                let seen = |to: usize, bits: Cues| if table.tail(&word[to..]) { bits } else { bits & !bit::FORWARD };
                parts(table, word, |to, bits| all |= seen(to, bits));
            }
        }
        all
    }
}

/// Whether a word may have parts: `_`, a capital behind a small letter, digits behind letters.
#[inline]
fn composed(word: &[u8], flags: u8) -> bool {
    if word.len() > 64 {
        return false;
    }
    if flags & UNDER != 0 {
        return true;
    }
    if flags & DIGIT != 0 {
        // `phone2`; not hashes.
        let letters = word.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        return letters >= 2 && word[letters..].iter().all(u8::is_ascii_digit);
    }
    flags & (UPPER | LOWER) == UPPER | LOWER && word[1..].iter().any(u8::is_ascii_uppercase)
}

/// The cues of the parts of a word, each with its end.
fn parts(table: &CueTable, word: &[u8], mut found: impl FnMut(usize, Cues)) {
    let mut from = 0;
    for (i, b) in word.iter().enumerate() {
        let hump = b.is_ascii_lowercase() && word.get(i + 1).is_some_and(u8::is_ascii_uppercase);
        let edge = *b == b'_' || b.is_ascii_digit();
        if hump || edge || i + 1 == word.len() {
            let to = if edge { i } else { i + 1 };
            if to > from + 1 {
                let bits = table.get(&word[from..to]);
                if bits != 0 {
                    found(to, bits);
                }
            }
            from = i + 1;
        }
    }
}
