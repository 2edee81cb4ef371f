//! The deny list.

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use super::byte_class::is_word;
use crate::error::PolicyError;
use crate::policy::Policy;

/// The terms of a deny list, which are searched where a word begins.
#[derive(Debug, Clone)]
pub(crate) struct DenyList(AhoCorasick);

impl DenyList {
    pub(crate) fn new(terms: &[String]) -> Result<Option<Self>, PolicyError> {
        if terms.is_empty() {
            return Ok(None);
        }
        AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Anchored)
            .ascii_case_insensitive(true)
            .build(terms)
            .map(|ac| Some(Self(ac)))
            .map_err(|e| PolicyError::DenyList(e.to_string()))
    }

    /// The end of the longest term that begins at `at`, if a word ends there too.
    pub(crate) fn match_end(&self, text: &[u8], at: usize) -> Option<usize> {
        let stop = text.len().min(at + Policy::MAX_TERM_BYTES + 4);
        let input = Input::new(text).range(at..stop).anchored(Anchored::Yes);
        let found = self.0.try_find(input).ok()??;
        let end = found.end();
        let inside = text.get(end).is_some_and(|b| is_word(*b)) && text.get(end - 1).is_some_and(|b| is_word(*b));
        (!inside).then_some(end)
    }
}
