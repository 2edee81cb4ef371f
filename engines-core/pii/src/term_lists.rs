//! Allow-lists and deny-lists.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use super::error::PolicyError;
use super::scan::byte_class::is_word;
use super::scan::normalization::NormalizedText;

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
        let stop = text.len().min(at + super::policy::Policy::MAX_TERM_BYTES + 4);
        let input = Input::new(text).range(at..stop).anchored(Anchored::Yes);
        let found = self.0.try_find(input).ok()??;
        let end = found.end();
        let inside = text.get(end).is_some_and(|b| is_word(*b)) && text.get(end - 1).is_some_and(|b| is_word(*b));
        (!inside).then_some(end)
    }
}

/// Values that are left in the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowList {
    values: BTreeSet<String>,
    /// Allowed domains, such as `@example.org`.
    domains: BTreeSet<String>,
}

impl AllowList {
    pub(crate) fn new(values: &[String]) -> Self {
        let (domains, values) = values.iter().map(|v| v.to_lowercase()).partition(|v| v.starts_with('@'));
        Self { values, domains }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.domains.is_empty()
    }

    /// Whether this finding, as it is written in the text, is allowed.
    pub(crate) fn contains(&self, source: &str) -> bool {
        let plain = NormalizedText::from_source(source.as_bytes());
        let Ok(plain) = String::from_utf8(plain.text) else { return false };
        let plain = plain.to_lowercase();
        self.values.contains(&plain) || plain.rfind('@').is_some_and(|at| self.domains.contains(&plain[at..]))
    }
}
