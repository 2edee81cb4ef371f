//! The scanner: one pass over the bytes that stops at words and at a few anchor bytes and calls the rules there.
//!
//! Every rule examines a bounded number of bytes around its position, or consumes what it examines, so that the work is
//! linear in the length of any text. `LOOKAHEAD` is the number of bytes a stream has to wait for.

use crate::entity::EntityKind;
use crate::rule;
use crate::scan::Scan;
use crate::scan::block::{self, Block};
use crate::scan::byte_class::{ALPHA, CLASS, DIGIT, LOWER, NON_ASCII, UNDERSCORE};
use crate::scan::cue::{CueTable, Cues, WordKey, bit};
use crate::scan::word_parts::{for_each_part, may_have_parts};

/// How far a rule may look ahead, in bytes; a rule that needs more reports that it starves.
const LOOKAHEAD: usize = 384;
/// The longest word that can be anything other than a long token.
const MAX_WORD: usize = 1024;

impl Scan<'_> {
    /// Examines a value whose key tells what it is.
    pub(crate) fn scan_keyed_value(&mut self) {
        let bits = self.cues.key_cues & bit::VALUE_FOLLOWS;
        if bits != 0
            && let Some(to) = rule::cue_values::whole_value(self, bits)
        {
            self.pos = to;
        }
    }

    /// Scans as far as a decision is possible.
    pub(crate) fn run(&mut self) {
        if self.is_last { self.scan::<true>() } else { self.scan::<false>() }
    }

    fn scan<const LAST: bool>(&mut self) {
        let b = self.bytes;
        let limit = if LAST { b.len() } else { b.len().saturating_sub(LOOKAHEAD) };
        let plain_words = self.deny.is_none();
        let mut i = self.pos;
        let mut block = Block::at(b, i);
        while i < limit {
            // Also where it went back, behind a part of a word.
            if i.wrapping_sub(block.base) >= block::BLOCK_BYTES {
                block = Block::at(b, i);
            }
            let stop = block.stop >> (i - block.base);
            if stop == 0 {
                i = block.base + block::BLOCK_BYTES;
                continue;
            }
            i += stop.trailing_zeros() as usize;
            if i >= limit {
                break;
            }
            let shift = i - block.base;
            if block.word >> shift & 1 == 0 {
                match self.apply_rule::<LAST>(i, |scan| scan.scan_anchor(i)) {
                    Some(next) => i = next,
                    None => return,
                }
                continue;
            }
            let start = i;
            let behind = !block.word >> shift;
            if behind == 0 {
                if shift > 0 {
                    // The word continues behind the block: read it in a block that begins with the word.
                    block = Block::at(b, start);
                    continue;
                }
                match self.long_word::<LAST>(start, &mut block) {
                    Some(next) => i = next,
                    None => return,
                }
                continue;
            }
            let len = behind.trailing_zeros();
            let inside = (1 << len) - 1;
            i = start + len as usize;
            if block.letters_only(shift, inside) && plain_words && !self.in_long_word {
                let capitals = block.capitals(shift, inside);
                let humps = capitals > 1 && capitals != inside;
                let key = WordKey::from_letters(b, start, i);
                let known = self.table.may_have(key);
                // Most words are plain. A single test is used because the branches are hard to predict.
                let goes_on = self.is_part_of_more(start, i);
                if !(known | humps | goes_on) {
                    continue;
                }
                if goes_on {
                    if !known && !humps && !self.may_begin_token(start, i) {
                        continue;
                    }
                } else if !humps {
                    let bits = if known { self.table.find(key, &b[start..i]) } else { 0 };
                    if bits == 0 {
                        continue;
                    }
                    match self.apply_rule::<LAST>(start, |scan| scan.handle_cue(start, i, bits)) {
                        Some(next) => i = next,
                        None => return,
                    }
                    continue;
                }
            }
            let next = if block.digits_only(shift, inside) && plain_words && !self.in_long_word {
                self.apply_rule::<LAST>(start, |scan| rule::number::scan_digits(scan, start, i))
            } else {
                self.checked_word::<LAST>(start, i, block.flags(b, shift, inside))
            };
            match next {
                Some(next) => i = next,
                None => return,
            }
        }
        self.pos = i.min(b.len());
    }

    /// Handles a word that begins at `start` and continues behind its block: returns where to continue, or `None` if
    /// the scan ends here.
    #[inline(never)]
    fn long_word<const LAST: bool>(&mut self, start: usize, block: &mut Block) -> Option<usize> {
        let (b, n) = (self.bytes, self.bytes.len());
        let cap = n.min(start + MAX_WORD);
        let mut flags = block.flags(b, start - block.base, u64::MAX >> (start - block.base));
        let mut end = block.base + block::BLOCK_BYTES;
        while end < cap {
            *block = Block::at(b, end);
            let behind = !block.word;
            let len = behind.trailing_zeros();
            flags |= block.flags(b, 0, u64::MAX.unbounded_shr(u64::BITS - len));
            end += len as usize;
            if behind != 0 {
                break;
            }
        }
        end = end.min(cap);
        if end == n && !LAST && end - start < MAX_WORD {
            self.starved = true;
            self.pos = start;
            return None;
        }
        if end - start == MAX_WORD {
            if flags & NON_ASCII != 0 {
                while end > start + 1 && self.byte_at(end) & 0xc0 == 0x80 {
                    end -= 1;
                }
            }
            self.in_long_word = true;
            return Some(end);
        }
        if flags & (DIGIT | NON_ASCII | UNDERSCORE) == 0 && self.deny.is_none() && !self.in_long_word {
            let humps = flags & LOWER != 0 && b[start + 1..end].iter().any(u8::is_ascii_uppercase);
            if !self.word_needs_rules(WordKey::from_word(&b[start..end]), start, end, humps) {
                return Some(end);
            }
        }
        self.checked_word::<LAST>(start, end, flags)
    }

    /// Handles a whole word: returns where to continue, or `None` if the scan ends here.
    #[inline]
    fn checked_word<const LAST: bool>(&mut self, start: usize, end: usize, flags: u8) -> Option<usize> {
        if self.in_long_word {
            self.in_long_word = false;
            if flags & NON_ASCII == 0 {
                return Some(end);
            }
        }
        self.apply_rule::<LAST>(start, |scan| scan.scan_word(start, end, flags))
    }

    /// Calls a rule for the text at `from`: returns where to continue, or `None` if the scan ends here.
    #[inline]
    fn apply_rule<const LAST: bool>(&mut self, from: usize, rule: impl FnOnce(&mut Self) -> usize) -> Option<usize> {
        if LAST { Some(rule(self)) } else { self.apply_rule_or_wait(from, rule) }
    }

    /// The same if the text may continue: a decision that depends on later text is undone.
    #[inline(never)]
    fn apply_rule_or_wait(&mut self, from: usize, rule: impl FnOnce(&mut Self) -> usize) -> Option<usize> {
        let before = (self.findings.as_slice().len(), self.cues, self.lookahead, self.last_end);
        let next = rule(self);
        if self.starved {
            let hits;
            (hits, self.cues, self.lookahead, self.last_end) = before;
            self.findings.truncate(hits);
            self.pos = from;
            return None;
        }
        Some(next)
    }

    fn scan_anchor(&mut self, at: usize) -> usize {
        match self.bytes[at] {
            b'@' => rule::email::at_sign(self, at),
            b':' => rule::url::scan_colon(self, at),
            b'-' => rule::pem::dashes(self, at),
            b'[' => rule::mask_end(self, at).unwrap_or(at + 1),
            _ => at + 1,
        }
    }

    /// Whether a word of letters may be a cue, the beginning of a secret, or a group of an IP address.
    #[inline]
    fn word_needs_rules(&self, key: WordKey, start: usize, end: usize, humps: bool) -> bool {
        self.table.may_have(key) || humps || self.is_part_of_more(start, end) && self.may_begin_token(start, end)
    }

    /// Whether the word is joined to something, or is long.
    #[inline]
    fn is_part_of_more(&self, start: usize, end: usize) -> bool {
        matches!(self.byte_at(end), b':' | b'-' | b'.' | b'$') || end - start >= rule::secret::MIN_SECRET_WORD
    }

    /// Whether such a word may begin something longer than a word.
    fn may_begin_token(&self, start: usize, end: usize) -> bool {
        rule::secret::may_begin(self.bytes[start], self.byte_at(start + 1))
            || rule::may_begin_address(&self.bytes[start..end], self.byte_at(end))
    }

    #[inline(never)]
    fn scan_word(&mut self, start: usize, mut end: usize, mut flags: u8) -> usize {
        if flags & NON_ASCII != 0 && self.bytes[start..end].iter().any(|&b| b >= 0xe0) {
            let (cut, bits) = self.split_script(start, end);
            if bits & bit::VALUE_FOLLOWS != 0
                && let Some(to) = self.find_cued_value(start, cut, bits)
            {
                return to;
            }
            if cut < end || flags & (DIGIT | ALPHA) == 0 {
                end = cut;
                flags = self.bytes[start..end].iter().fold(0, |f, b| f | CLASS[usize::from(*b)]);
            }
        }
        if let Some(deny) = self.deny
            && let Some(to) = deny.match_end(self.bytes, start)
        {
            return self.add_finding(EntityKind::DenyList, start, to, 100);
        }
        if self.byte_at(end) == b'$'
            && let Some(to) = rule::password_hash::password_hash(self, start, end)
        {
            return to;
        }
        if flags & (ALPHA | NON_ASCII) == 0 {
            return if flags & UNDERSCORE == 0 { rule::number::scan_digits(self, start, end) } else { end };
        }
        if flags & DIGIT != 0
            && let Some(to) = rule::alphanumeric_ids::scan_mixed_word(self, start, end, flags)
        {
            return to;
        }
        let more = flags & (DIGIT | UNDERSCORE | NON_ASCII) != 0 || self.is_part_of_more(start, end);
        if more && let Some(to) = rule::secret::prefixed(self, start, end) {
            return to;
        }
        if rule::may_begin_address(&self.bytes[start..end], self.byte_at(end))
            && let Some(to) = rule::hex_address(self, start, end)
        {
            return to;
        }
        self.look_up_cues(start, end, flags)
    }

    /// In scripts without spaces a word ends where the script changes.
    fn split_script(&mut self, start: usize, end: usize) -> (usize, Cues) {
        let ascii = |b: u8| b < 0x80;
        let run = &self.bytes[start..end];
        // U+1E00 to U+1EFF are Latin letters, used for example in Vietnamese.
        let latin = |i: usize| run[i] == 0xe1 && matches!(run.get(i + 1), Some(0xb8..=0xbb));
        let (mut i, mut seen) = (0, false);
        let first_ascii = ascii(run[0]);
        while i < run.len() {
            let wide = run[i] >= 0xe0 && !latin(i);
            if first_ascii && wide || !first_ascii && seen && ascii(run[i]) {
                break;
            }
            seen |= wide;
            i += 1;
        }
        let cut = start + i;
        let mut all = 0;
        if seen {
            let (run, ring) = (&self.bytes[start..cut], &mut self.cues);
            CueTable::for_each_spaceless(run, |at, bits| {
                ring.push(bits, start + at);
                all |= bits;
            });
        }
        (cut, all)
    }

    /// Looks up the word, and its parts if it is written `like_this` or `likeThis`, and examines what follows a cue.
    #[inline]
    fn look_up_cues(&mut self, start: usize, end: usize, flags: u8) -> usize {
        let word = &self.bytes[start..end];
        let mut bits = self.table.get_at(self.bytes, start, end);
        if bits == 0 && flags & NON_ASCII != 0 && matches!(word[0], 0xc3..=0xc5 | 0xce | 0xd0) {
            bits = self.table.get_capitalized(word);
        }
        if bits != 0 {
            return self.handle_cue(start, end, bits);
        }
        if may_have_parts(word, flags) {
            let (table, ring) = (self.table, &mut self.cues);
            for_each_part(table, word, |to, found| {
                ring.push(found, start + to);
                // `password_len` is not a password; `password2` and `secret_key_base` are.
                bits |= table.cues_with_tail(found, &word[to..]);
            });
        }
        self.apply_cue(start, end, bits)
    }

    /// Handles a word that is a cue.
    #[inline]
    fn handle_cue(&mut self, start: usize, end: usize, bits: Cues) -> usize {
        self.cues.push(bits, end);
        self.apply_cue(start, end, bits)
    }

    /// Calls the rules for values behind a word with these cues.
    #[inline]
    fn apply_cue(&mut self, start: usize, end: usize, bits: Cues) -> usize {
        if bits & (bit::VALUE_FOLLOWS | bit::ZIP) == 0 {
            return end;
        }
        if bits & bit::ZIP != 0 && self.byte_before(start) == b'.' {
            // `archive.zip` is a file.
            self.cues.push(bit::NEGATIVE, end);
        }
        if bits & bit::VALUE_FOLLOWS == 0 {
            return end;
        }
        self.find_cued_value(start, end, bits).unwrap_or(end)
    }

    /// Searches for a value behind the cue at `start..end`.
    #[inline]
    fn find_cued_value(&mut self, start: usize, end: usize, bits: Cues) -> Option<usize> {
        self.lookahead.unread_from = end as u32;
        let found = rule::cue_values::value_after_cue(self, start, end, bits);
        self.lookahead.unread_from = 0;
        if found.is_none() {
            self.lookahead.note_missed_cue(start, end, bits);
        }
        found
    }
}
