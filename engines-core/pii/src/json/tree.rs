//! Scrubs a parsed JSON value.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::ScrubError;
use crate::finding::{JsonFinding, ScrubReport};
use crate::scan::cue::Cues;
use crate::scan::findings::PackedFinding;
use crate::scrubber::Scrubber;

use super::json_path::{JsonPath, key_cues, number_needs_scan, unique_key};

/// The findings collected during the walk.
struct TreeReport {
    receipt: ScrubReport,
    findings: Vec<JsonFinding>,
    /// The most findings whose position is recorded.
    max_findings: usize,
}

impl Scrubber {
    /// Removes the findings in every string, key and number of a JSON value, at any depth. A key is context for its
    /// value.
    ///
    /// The output has the same shape: of two keys that become equal one gets a suffix, and a number with a finding
    /// becomes a string (or `null` if it is dropped).
    ///
    /// ```
    /// # use engines_pii::Scrubber;
    /// let event = serde_json::json!({"user": {"dob": "1980-05-17"}, "ana@example.org": [4111111111111111_u64]});
    /// let (clean, receipt) = Scrubber::default().scrub_json(&event)?;
    /// assert_eq!(clean, serde_json::json!({"user": {"dob": "[DATE_OF_BIRTH]"}, "[EMAIL_ADDRESS]": ["[CREDIT_CARD]"]}));
    /// assert!(receipt.paths.contains(&"/user/dob".to_string()));
    /// # Ok::<(), engines_pii::ScrubError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ScrubError::TooDeep`], and those of [`Scrubber::scrub_text`].
    pub fn scrub_json(&self, value: &Value) -> Result<(Value, ScrubReport), ScrubError> {
        let mut notes = TreeReport {
            receipt: ScrubReport::new(Arc::clone(&self.inner.version)),
            findings: Vec::new(),
            max_findings: 0,
        };
        let clean = self.scrub_tree(value, &JsonPath::ROOT, 0, 0, &mut notes)?;
        Ok((clean, notes.receipt))
    }

    /// As [`Scrubber::scrub_json`], and returns the positions of the first `most` findings.
    ///
    /// # Errors
    ///
    /// Those of [`Scrubber::scrub_json`].
    pub fn scrub_json_located(
        &self,
        value: &Value,
        most: usize,
    ) -> Result<(Value, ScrubReport, Vec<JsonFinding>), ScrubError> {
        let mut notes = TreeReport {
            receipt: ScrubReport::new(Arc::clone(&self.inner.version)),
            findings: Vec::new(),
            max_findings: most,
        };
        let clean = self.scrub_tree(value, &JsonPath::ROOT, 0, 0, &mut notes)?;
        Ok((clean, notes.receipt, notes.findings))
    }

    fn scrub_tree(
        &self,
        value: &Value,
        place: &JsonPath<'_>,
        around: Cues,
        depth: usize,
        notes: &mut TreeReport,
    ) -> Result<Value, ScrubError> {
        if depth > self.inner.max_depth {
            return Err(ScrubError::TooDeep { limit: self.inner.max_depth });
        }
        Ok(match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::String(text) => {
                Value::String(self.scrub_leaf(text, place, around, notes)?.unwrap_or_else(|| text.clone()))
            }
            Value::Number(number) => {
                let text = number.to_string();
                if !number_needs_scan(&text, around) {
                    return Ok(value.clone());
                }
                match self.find_packed(&text, around)?.as_slice().first() {
                    Some(hit) => {
                        let mut out = String::new();
                        self.write_replacement(&mut out, hit, &text, false)?;
                        self.note_located(&[*hit], place, false, notes);
                        if out.is_empty() { Value::Null } else { Value::String(out) }
                    }
                    None => value.clone(),
                }
            }
            Value::Array(items) => {
                let clean = items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| self.scrub_tree(item, &place.index(i), around, depth + 1, notes));
                Value::Array(clean.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => Value::Object(self.scrub_map(map, place, around, depth, notes)?),
        })
    }

    fn scrub_map(
        &self,
        map: &Map<String, Value>,
        place: &JsonPath<'_>,
        around: Cues,
        depth: usize,
        notes: &mut TreeReport,
    ) -> Result<Map<String, Value>, ScrubError> {
        let mut out = Map::with_capacity(map.len());
        let mut made: Vec<String> = Vec::new();
        for (key, value) in map {
            let hits = self.find_packed(key, 0)?;
            let clean = if hits.as_slice().is_empty() {
                if made.contains(key) { unique_key(key.clone(), &made) } else { key.clone() }
            } else {
                let mut clean = String::with_capacity(key.len());
                self.write_scrubbed(&mut clean, key, hits.as_slice(), false)?;
                let mut clean = unique_key(clean, &made);
                while map.contains_key(&clean) {
                    clean.push('_');
                }
                made.push(clean.clone());
                self.note_located(hits.as_slice(), &place.key(&clean), true, notes);
                clean
            };
            let inner = place.key(&clean);
            let scrubbed = self.scrub_tree(value, &inner, key_cues(clean.as_bytes(), around), depth + 1, notes)?;
            out.insert(clean, scrubbed);
        }
        Ok(out)
    }

    /// The scrubbed text, or `None` if it is clean.
    fn scrub_leaf(
        &self,
        text: &str,
        place: &JsonPath<'_>,
        around: Cues,
        notes: &mut TreeReport,
    ) -> Result<Option<String>, ScrubError> {
        let hits = self.find_packed(text, around)?;
        let hits = hits.as_slice();
        if hits.is_empty() {
            return Ok(None);
        }
        let mut out = String::with_capacity(text.len() + 16);
        self.write_scrubbed(&mut out, text, hits, false)?;
        self.note_located(hits, place, false, notes);
        Ok(Some(out))
    }

    fn note_located(&self, hits: &[PackedFinding], place: &JsonPath<'_>, key: bool, notes: &mut TreeReport) {
        let room = notes.max_findings.saturating_sub(notes.findings.len());
        for hit in hits.iter().take(room) {
            notes.findings.push(JsonFinding { path: place.pointer(), key, finding: self.finding(hit, 0) });
        }
        self.note_counts(hits, place, &mut notes.receipt);
    }

    pub(super) fn note_counts(&self, hits: &[PackedFinding], place: &JsonPath<'_>, receipt: &mut ScrubReport) {
        for hit in hits {
            receipt.add_count(self.entity(hit.kind));
        }
        if receipt.paths.len() < ScrubReport::MAX_PATHS {
            receipt.add_path(place.pointer());
        }
    }
}
