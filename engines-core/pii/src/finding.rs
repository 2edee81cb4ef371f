//! What a scrub gives back.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entity::Entity;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What it is.
    pub entity: Entity,
    /// Where it begins, in bytes of the UTF-8 text.
    pub start: usize,
    /// Where it ends, in bytes of the UTF-8 text.
    pub end: usize,
    /// Confidence, 0 to 1: 1 for what has a check digit or a prefix of its own next to a cue, less for what only its form gives away.
    pub score: f32,
}

/// One thing that was found in a JSON value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JsonFinding {
    /// Where the value stands: a JSON pointer (RFC 6901) over masked keys.
    pub path: String,
    /// It is in the key at the end of the path, not in its value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
    /// What it is, and where in the decoded string, or in the number's digits.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What was removed, without any of it: stored with the event as `pii_flags`.
///
/// Serialises to `{"policy": "…", "counts": {"EMAIL_ADDRESS": 2}, "paths": ["/input/text"]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubReport {
    /// The version of the policy that was applied.
    pub policy: Arc<str>,
    /// How many of each entity were found.
    pub counts: BTreeMap<Entity, u64>,
    /// Where: JSON pointers (RFC 6901) over masked keys, at most [`Receipt::MAX_PATHS`], each once, and together at most
    /// [`Receipt::MAX_PATH_BYTES`]. Empty for a text.
    pub paths: Vec<String>,
}

impl ScrubReport {
    /// The most paths a receipt names.
    pub const MAX_PATHS: usize = 64;
    /// Bytes of all paths of a receipt.
    pub const MAX_PATH_BYTES: usize = 4096;

    pub(crate) fn new(policy: Arc<str>) -> Self {
        Self { policy, counts: BTreeMap::new(), paths: Vec::new() }
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many things were found.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Adds what another receipt of the same policy counts, its paths under `prefix` (a JSON pointer, or empty).
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

/// A scrubbed value, what was found in the original, and the receipt.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrubbed<T> {
    /// What may be kept.
    pub value: T,
    /// What was found, by position in the *original*; empty when nothing was.
    pub findings: Vec<Finding>,
    /// What to keep beside the value.
    pub receipt: ScrubReport,
}
