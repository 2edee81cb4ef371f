//! The scanner: one pass over the bytes that stops at words and at a few anchor bytes and calls the rules there.
//!
//! Every rule examines a bounded number of bytes around its position, or consumes what it examines, so that the work is
//! linear in the length of any text. `LOOKAHEAD` is the number of bytes a stream has to wait for.

use super::block::{self, Block};
use super::byte_class::{ALPHA, CLASS, DIGIT, LOWER, NON_ASCII, UNDERSCORE, UPPER, is_word};
use super::cue::{self, CueTable, Cues, WordKey, bit};
use super::cue_window::CueWindow;
use super::findings::{FindingList, PackedFinding};
use super::rescan::Lookahead;

use crate::entity::EntityKind;
use crate::rule;

/// How far a rule may look ahead, in bytes; a rule that needs more reports that it starves.
pub(crate) const LOOKAHEAD: usize = 384;
/// How far a rule may look back, in bytes.
pub(crate) const LOOKBACK: usize = 192;
/// The longest word that can be anything other than a long token.
pub(crate) const MAX_WORD: usize = 1024;

/// A scan of one text or of a part of a stream.
pub(crate) struct Scan<'a> {
    pub(crate) bytes: &'a [u8],
    /// The text ends with `b`.
    pub(crate) is_last: bool,
    /// A rule reached the end of `b` and needs more text to decide.
    pub(crate) starved: bool,
    pub(crate) findings: &'a mut FindingList,
    pub(crate) cues: CueWindow,
    pub(crate) pos: usize,
    /// The position is inside a word that is longer than [`MAX_WORD`].
    pub(crate) in_long_word: bool,
    /// The last run of bytes of each class that secrets consist of, as far as it was examined.
    pub(crate) secret_runs: [(u32, u32); rule::secret::BODY_SETS],
    pub(crate) lookahead: Lookahead,
    /// The end of the last finding, counted from 1. 0 if there is none.
    pub(super) last_end: usize,
    pub(super) deny: Option<&'a crate::term_lists::DenyList>,
    pub(super) table: &'static CueTable,
    /// The number of bytes examined, for the test of linear complexity.
    #[cfg(test)]
    pub(crate) examined: std::cell::Cell<u64>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(
        b: &'a [u8],
        hint: Cues,
        deny: Option<&'a crate::term_lists::DenyList>,
        hits: &'a mut FindingList,
    ) -> Self {
        let edge = hits.as_slice().last().map_or(0, |hit| hit.end as usize + 1);
        Self {
            bytes: b,
            is_last: true,
            starved: false,
            findings: hits,
            cues: CueWindow::new(hint),
            pos: 0,
            in_long_word: false,
            secret_runs: [(0, 0); rule::secret::BODY_SETS],
            lookahead: Lookahead::default(),
            last_end: edge,
            deny,
            table: cue::table(),
            #[cfg(test)]
            examined: std::cell::Cell::new(0),
        }
    }

    /// The byte at `i`; 0 beyond the end.
    #[inline]
    pub(crate) fn byte_at(&self, index: usize) -> u8 {
        #[cfg(test)]
        self.examined.set(self.examined.get() + 1);
        match self.bytes.get(index) {
            Some(b) => *b,
            None => 0,
        }
    }

    /// The byte before `i`; 0 before the start, and `]` directly after a finding, as in its mask.
    #[inline]
    pub(crate) fn byte_before(&self, at: usize) -> u8 {
        if at + 1 == self.last_end { b']' } else { self.byte_at(at.wrapping_sub(1)) }
    }

    /// Whether a word ends directly before `i`. A word that was a finding does not count, because its mask is not a
    /// word.
    pub(crate) fn word_before(&self, at: usize) -> bool {
        is_word(self.byte_before(at))
    }

    /// The end of the last finding, or the start.
    #[inline]
    pub(crate) fn last_finding_end(&self) -> usize {
        self.last_end.saturating_sub(1)
    }

    /// The start of a value that seems to begin at `i`: behind a finding that it overlaps in part.
    pub(crate) fn next_uncovered(&self, at: usize) -> usize {
        let reaching = self.findings.as_slice().iter().rev().take_while(|hit| hit.end as usize > at);
        reaching.last().filter(|hit| (hit.start as usize) < at).map_or(at, |hit| hit.end as usize)
    }

    pub(crate) fn starts_with(&self, at: usize, with: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(with))
    }

    /// Records a finding; it is extended to whole characters. Returns its end.
    pub(crate) fn add_finding(&mut self, kind: EntityKind, mut start: usize, mut end: usize, score: u8) -> usize {
        while start > 0 && self.byte_at(start) & 0xc0 == 0x80 {
            start -= 1;
        }
        while self.byte_at(end) & 0xc0 == 0x80 {
            end += 1;
        }
        self.rescan_before(start);
        if self.findings.add_longest(PackedFinding::new(kind, start, end, score)) {
            self.carry_context(kind, end);
            self.last_end = end + 1;
        }
        end
    }

    /// Makes the finding or its mask the only context for the following text, so that a masked text gives the same
    /// result as the original.
    pub(crate) fn carry_context(&mut self, kind: EntityKind, end: usize) {
        self.cues.reset(rule::carried_cues(kind), end);
    }

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

    /// The cues that a JSON key gives for its value.
    pub(crate) fn cues_of_key(key: &[u8]) -> Cues {
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
            if flags & NON_ASCII != 0 && key[start] >= 0xe0 {
                CueTable::for_each_spaceless(word, |_, bits| all |= bits);
            }
            let mut bits = table.get_at(key, start, i);
            if bits == 0 && flags & NON_ASCII != 0 {
                bits = table.get_capitalized(word);
            }
            all |= bits;
            if bits == 0 && may_have_parts(word, flags) {
                for_each_part(table, word, |to, bits| all |= table.cues_with_tail(bits, &word[to..]));
            }
        }
        all
    }
}

/// Whether a word may have parts: `_`, a capital behind a small letter, digits behind letters.
#[inline]
fn may_have_parts(word: &[u8], flags: u8) -> bool {
    if word.len() > 64 {
        return false;
    }
    if flags & UNDERSCORE != 0 {
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
fn for_each_part(table: &CueTable, word: &[u8], mut found: impl FnMut(usize, Cues)) {
    let mut from = 0;
    for (i, b) in word.iter().enumerate() {
        let hump = b.is_ascii_lowercase() && word.get(i + 1).is_some_and(u8::is_ascii_uppercase);
        let edge = *b == b'_' || b.is_ascii_digit();
        if hump || edge || i + 1 == word.len() {
            let to = if edge { i } else { i + 1 };
            if to > from + 1 {
                let bits = table.get_at(word, from, to);
                if bits != 0 {
                    found(to, bits);
                }
            }
            from = i + 1;
        }
    }
}
