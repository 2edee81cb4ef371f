//! The allow list.

use std::collections::BTreeSet;

use super::scan::normalization::NormalizedText;

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
