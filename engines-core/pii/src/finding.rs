//! The results of a scrub.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entity::Entity;

/// One finding in a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The entity.
    pub entity: Entity,
    /// The start, in bytes of the UTF-8 text.
    pub start: usize,
    /// The end, in bytes of the UTF-8 text.
    pub end: usize,
    /// The confidence, from 0 to 1: 1 for values with a check digit or a prefix next to a cue, less for values
    /// recognised only by their form.
    pub score: f32,
}

/// One finding in a JSON value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JsonFinding {
    /// The path of the value: a JSON pointer (RFC 6901) over masked keys.
    pub path: String,
    /// Whether the finding is in the key at the end of the path, not in its value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
    /// The entity and its position in the decoded string, or in the digits of the number.
    #[serde(flatten)]
    pub finding: Finding,
}

/// A report of what was removed, without the removed values. It is stored with the event as `pii_flags`.
///
/// Serialises to `{"policy": "…", "counts": {"EMAIL_ADDRESS": 2}, "paths": ["/input/text"]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubReport {
    /// The version of the policy that was applied.
    pub policy: Arc<str>,
    /// The number of findings of each entity.
    pub counts: BTreeMap<Entity, u64>,
    /// The paths of the findings: JSON pointers (RFC 6901) over masked keys, at most [`ScrubReport::MAX_PATHS`],
    /// without duplicates, and together at most [`ScrubReport::MAX_PATH_BYTES`]. Empty for a text.
    pub paths: Vec<String>,
}

impl ScrubReport {
    /// The most paths in a report.
    pub const MAX_PATHS: usize = 64;
    /// The most bytes of all paths of a report.
    pub const MAX_PATH_BYTES: usize = 4096;

    pub(crate) fn new(policy: Arc<str>) -> Self {
        Self { policy, counts: BTreeMap::new(), paths: Vec::new() }
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number of findings.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Adds the counts of another report of the same policy, with its paths under `prefix` (a JSON pointer, or empty).
    pub fn absorb(&mut self, other: Self, prefix: &str) {
        for (entity, n) in other.counts {
            *self.counts.entry(entity).or_insert(0) += n;
        }
        for path in other.paths {
            self.add_path(format!("{prefix}{path}"));
        }
    }

    pub(crate) fn add_count(&mut self, entity: Entity) {
        *self.counts.entry(entity).or_insert(0) += 1;
    }

    /// Adds the path of a field with findings. Repeated paths, and paths beyond the limits of the report, are left out.
    pub fn add_path(&mut self, path: String) {
        let named = self.paths.iter().map(String::len).sum::<usize>();
        let fits = self.paths.len() < Self::MAX_PATHS && named + path.len() <= Self::MAX_PATH_BYTES;
        if fits && self.paths.last() != Some(&path) && !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }
}

/// A scrubbed value, the findings in the original, and the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrubbed<T> {
    /// The scrubbed value, which may be stored.
    pub value: T,
    /// The findings by position in the *original*; empty when there are none.
    pub findings: Vec<Finding>,
    /// The report to store beside the value.
    pub receipt: ScrubReport,
}
