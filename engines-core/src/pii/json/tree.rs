//! Scrubbing a parsed value.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::pii::error::ScrubError;
use crate::pii::finding::{JsonFinding, Receipt};
use crate::pii::scan::cue::Cues;
use crate::pii::scan::hits::Hit;
use crate::pii::scrubber::Scrubber;

use super::place::{Place, distinct, hint, number_matters};

/// What is said of findings on the way.
struct Notes {
    receipt: Receipt,
    findings: Vec<JsonFinding>,
    /// How many findings are located.
    most: usize,
}

impl Scrubber {
    /// Removes what is found in every string, key and number of a JSON value, at any depth; a key is context for what it holds.
    ///
    /// The output has the same shape: two keys that become alike get a suffix, a number with a finding becomes a string (or `null` if dropped).
    ///
    /// ```
    /// # use engines_core::pii::Scrubber;
    /// let event = serde_json::json!({"user": {"dob": "1980-05-17"}, "ana@example.org": [4111111111111111_u64]});
    /// let (clean, receipt) = Scrubber::default().scrub_json(&event)?;
    /// assert_eq!(clean, serde_json::json!({"user": {"dob": "[DATE_OF_BIRTH]"}, "[EMAIL_ADDRESS]": ["[CREDIT_CARD]"]}));
    /// assert!(receipt.paths.contains(&"/user/dob".to_string()));
    /// # Ok::<(), engines_core::pii::ScrubError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ScrubError::TooDeep`], and those of [`Scrubber::scrub_text`].
    pub fn scrub_json(&self, value: &Value) -> Result<(Value, Receipt), ScrubError> {
        let mut notes = Notes { receipt: Receipt::new(Arc::clone(&self.inner.version)), findings: Vec::new(), most: 0 };
        let clean = self.tree(value, &Place::ROOT, 0, 0, &mut notes)?;
        Ok((clean, notes.receipt))
    }

    /// Like [`Scrubber::scrub_json`], and says of the first `most` findings where each is.
    ///
    /// # Errors
    ///
    /// Those of [`Scrubber::scrub_json`].
    pub fn scrub_json_located(
        &self,
        value: &Value,
        most: usize,
    ) -> Result<(Value, Receipt, Vec<JsonFinding>), ScrubError> {
        let mut notes = Notes { receipt: Receipt::new(Arc::clone(&self.inner.version)), findings: Vec::new(), most };
        let clean = self.tree(value, &Place::ROOT, 0, 0, &mut notes)?;
        Ok((clean, notes.receipt, notes.findings))
    }

    fn tree(
        &self,
        value: &Value,
        place: &Place<'_>,
        around: Cues,
        depth: usize,
        notes: &mut Notes,
    ) -> Result<Value, ScrubError> {
        if depth > self.inner.max_depth {
            return Err(ScrubError::TooDeep { limit: self.inner.max_depth });
        }
        Ok(match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::String(text) => {
                Value::String(self.leaf(text, place, around, notes)?.unwrap_or_else(|| text.clone()))
            }
            Value::Number(number) => {
                let text = number.to_string();
                if !number_matters(&text, around) {
                    return Ok(value.clone());
                }
                match self.hits(&text, around)?.as_slice().first() {
                    Some(hit) => {
                        let mut out = String::new();
                        self.stand_in(&mut out, hit, &text, false)?;
                        self.mark(&[*hit], place, false, notes);
                        if out.is_empty() { Value::Null } else { Value::String(out) }
                    }
                    None => value.clone(),
                }
            }
            Value::Array(items) => {
                let clean = items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| self.tree(item, &place.index(i), around, depth + 1, notes));
                Value::Array(clean.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => Value::Object(self.object(map, place, around, depth, notes)?),
        })
    }

    fn object(
        &self,
        map: &Map<String, Value>,
        place: &Place<'_>,
        around: Cues,
        depth: usize,
        notes: &mut Notes,
    ) -> Result<Map<String, Value>, ScrubError> {
        let mut out = Map::with_capacity(map.len());
        let mut made: Vec<String> = Vec::new();
        for (key, value) in map {
            let hits = self.hits(key, 0)?;
            let clean = if hits.as_slice().is_empty() {
                if made.contains(key) { distinct(key.clone(), &made) } else { key.clone() }
            } else {
                let mut clean = String::with_capacity(key.len());
                self.replace(&mut clean, key, hits.as_slice(), false)?;
                let mut clean = distinct(clean, &made);
                while map.contains_key(&clean) {
                    clean.push('_');
                }
                made.push(clean.clone());
                self.mark(hits.as_slice(), &place.key(&clean), true, notes);
                clean
            };
            let inner = place.key(&clean);
            let scrubbed = self.tree(value, &inner, hint(clean.as_bytes(), around), depth + 1, notes)?;
            out.insert(clean, scrubbed);
        }
        Ok(out)
    }

    /// The scrubbed text, or `None` if it is clean.
    fn leaf(
        &self,
        text: &str,
        place: &Place<'_>,
        around: Cues,
        notes: &mut Notes,
    ) -> Result<Option<String>, ScrubError> {
        let hits = self.hits(text, around)?;
        let hits = hits.as_slice();
        if hits.is_empty() {
            return Ok(None);
        }
        let mut out = String::with_capacity(text.len() + 16);
        self.replace(&mut out, text, hits, false)?;
        self.mark(hits, place, false, notes);
        Ok(Some(out))
    }

    fn mark(&self, hits: &[Hit], place: &Place<'_>, key: bool, notes: &mut Notes) {
        let room = notes.most.saturating_sub(notes.findings.len());
        for hit in hits.iter().take(room) {
            notes.findings.push(JsonFinding { path: place.pointer(), key, finding: self.finding(hit, 0) });
        }
        self.note(hits, place, &mut notes.receipt);
    }

    pub(super) fn note(&self, hits: &[Hit], place: &Place<'_>, receipt: &mut Receipt) {
        for hit in hits {
            receipt.count(self.entity(hit.kind));
        }
        if receipt.paths.len() < Receipt::MAX_PATHS {
            receipt.path(place.pointer());
        }
    }
}
