//! The scrubber, which finds and replaces personal data in texts and JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::allow_list::AllowList;
use super::detector::{Detector, DetectorBudget};
use super::entity::{Entity, EntityKind};
use super::error::ScrubError;
use super::finding::{Finding, ScrubReport, Scrubbed};
use super::policy::Policy;
use super::replacement::{self, OperatorKeys};
use super::rule_table::{ANY_ENTITY, RuleTable};
use super::scan::cue::Cues;
use super::scan::deny_list::DenyList;
use super::scan::findings::{FIRST_CUSTOM_KIND, FindingList, PackedFinding};
use super::scan::may_need_decoding;
use super::scan::normalization::{self, NormalizedText};
use super::scanner::begin_scan;

/// Finds and removes personal data and secrets. Cheap to clone, `Send + Sync`, without I/O.
#[derive(Clone)]
pub struct Scrubber {
    pub(crate) inner: Arc<ScrubberParts>,
    pub(crate) table: Arc<RuleTable>,
}

#[derive(Clone)]
pub(crate) struct ScrubberParts {
    pub(crate) policy: Arc<Policy>,
    pub(crate) version: Arc<str>,
    pub(crate) actions: BTreeMap<String, Arc<RuleTable>>,
    pub(crate) deny: Option<DenyList>,
    pub(crate) allowed: AllowList,
    pub(crate) keys: OperatorKeys,
    pub(crate) detectors: Vec<Arc<dyn Detector>>,
    /// The names of the custom detectors' entities.
    pub(crate) detector_entities: Vec<Entity>,
    pub(crate) budget: Option<DetectorBudget>,
    pub(crate) max_bytes: usize,
    pub(crate) max_depth: usize,
}

impl Default for Scrubber {
    /// Makes a scrubber that masks everything.
    fn default() -> Self {
        match Self::builder().build() {
            Ok(scrubber) => scrubber,
            Err(_) => unreachable!("the default policy compiles"),
        }
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").field("policy", &self.inner.version).finish_non_exhaustive()
    }
}

impl Scrubber {
    /// The version of the policy.
    pub fn policy_version(&self) -> &str {
        &self.inner.version
    }

    /// The same scrubber with the operators that the policy has for an action (`store`, `export`, …); unchanged if it
    /// has none.
    #[must_use]
    pub fn for_action(&self, action: &str) -> Self {
        match self.inner.actions.get(action) {
            Some(table) => Self { inner: Arc::clone(&self.inner), table: Arc::clone(table) },
            None => self.clone(),
        }
    }

    /// Whether the policy allows training with an event in which this was found.
    pub fn may_train(&self, found: &ScrubReport) -> bool {
        let forbidden = &self.inner.policy.no_training;
        let forbids = |entity: &Entity| forbidden.iter().any(|name| name == ANY_ENTITY || name == entity.name());
        forbidden.is_empty() || !found.counts.keys().any(forbids)
    }

    /// Removes the findings in a text. A text without findings is borrowed, without an allocation.
    ///
    /// # Errors
    ///
    /// [`ScrubError::TooLarge`], or the failure of a detector. The text must not be stored then.
    pub fn scrub_text<'a>(&self, text: &'a str) -> Result<Scrubbed<Cow<'a, str>>, ScrubError> {
        let mut hits = FindingList::new();
        self.find_into(text, 0, &mut hits)?;
        let hits = hits.as_slice();
        let mut receipt = ScrubReport::new(Arc::clone(&self.inner.version));
        if hits.is_empty() {
            return Ok(Scrubbed { value: Cow::Borrowed(text), findings: Vec::new(), receipt });
        }
        let mut out = String::with_capacity(text.len() + 16);
        self.write_scrubbed(&mut out, text, hits, false)?;
        let mut findings = Vec::with_capacity(hits.len());
        for hit in hits {
            let finding = self.finding(hit, 0);
            receipt.add_count(finding.entity.clone());
            findings.push(finding);
        }
        Ok(Scrubbed { value: Cow::Owned(out), findings, receipt })
    }

    /// The findings in a text, in order and without overlaps.
    ///
    /// # Errors
    ///
    /// Those of [`Scrubber::scrub_text`].
    pub fn findings(&self, text: &str) -> Result<Vec<Finding>, ScrubError> {
        Ok(self.find_packed(text, 0)?.as_slice().iter().map(|hit| self.finding(hit, 0)).collect())
    }

    /// As [`Scrubber::scrub_text`], into buffers of the caller, which are cleared first. It is for loops that must not
    /// allocate.
    ///
    /// # Errors
    ///
    /// Those of [`Scrubber::scrub_text`]; the buffers are then empty.
    pub fn scrub_into(&self, text: &str, out: &mut String, findings: &mut Vec<Finding>) -> Result<(), ScrubError> {
        out.clear();
        findings.clear();
        let mut hits = FindingList::new();
        self.find_into(text, 0, &mut hits)?;
        let hits = hits.as_slice();
        if hits.is_empty() {
            out.push_str(text);
            return Ok(());
        }
        out.reserve(text.len() + 16);
        if let Err(error) = self.write_scrubbed(out, text, hits, false) {
            out.clear();
            return Err(error);
        }
        findings.extend(hits.iter().map(|hit| self.finding(hit, 0)));
        Ok(())
    }

    /// The findings in a text under a key with these cues; positions are bytes of the text.
    pub(crate) fn find_packed(&self, text: &str, hint: Cues) -> Result<FindingList, ScrubError> {
        let mut hits = FindingList::new();
        self.find_into(text, hint, &mut hits)?;
        Ok(hits)
    }

    /// As above, into a list of the caller, which is cleared first.
    pub(crate) fn find_into(&self, text: &str, hint: Cues, hits: &mut FindingList) -> Result<(), ScrubError> {
        hits.clear();
        if text.len() > self.inner.max_bytes {
            return Err(ScrubError::TooLarge { size: text.len(), limit: self.inner.max_bytes });
        }
        let b = text.as_bytes();
        let deny = self.inner.deny.as_ref();
        if may_need_decoding(b) && normalization::needs_decoding(b) {
            self.find_in_normalized(b, hint, hits);
        } else {
            let mut scan = begin_scan(b, hint, deny, hits);
            scan.scan_keyed_value();
            scan.run();
        }
        if !self.inner.detectors.is_empty() {
            self.run_detectors(text, hits)?;
        }
        if !self.table.accepts_all || !self.inner.allowed.is_empty() {
            self.apply_allow_list(text, hits);
        }
        Ok(())
    }

    /// As above, over the plain copy of a text with encoded characters.
    #[inline(never)]
    fn find_in_normalized(&self, bytes: &[u8], hint: Cues, hits: &mut FindingList) {
        NormalizedText::with_normalized(bytes, |plain| {
            let mut scan = begin_scan(&plain.text, hint, self.inner.deny.as_ref(), hits);
            scan.scan_keyed_value();
            scan.run();
            for hit in hits.as_mut_slice() {
                let (start, end) = (plain.source_start(hit.start as usize), plain.source_end(hit.end as usize));
                (hit.start, hit.end) = (start as u32, end as u32);
            }
        });
    }

    /// Removes the findings that the policy leaves in the text.
    pub(crate) fn apply_allow_list(&self, text: &str, hits: &mut FindingList) {
        let keep = |hit: &PackedFinding| {
            let (_, least) = self.table.rule(hit.kind);
            hit.score >= least
                && (self.inner.allowed.is_empty()
                    || !text.get(hit.range()).is_some_and(|source| self.inner.allowed.contains(source)))
        };
        if !hits.as_slice().iter().all(keep) {
            let kept = hits.as_slice().iter().filter(|hit| keep(hit)).copied().collect();
            hits.replace_all(kept);
        }
    }

    /// Runs the custom detectors, also over the plain copy where characters are encoded, and adds their findings.
    fn run_detectors(&self, text: &str, hits: &mut FindingList) -> Result<(), ScrubError> {
        let budget = self.inner.budget.as_ref().map(DetectorBudget::restarted);
        let mut all: Vec<PackedFinding> = hits.as_slice().to_vec();
        self.run_detectors_on(text, budget.as_ref(), |start, end| (start, end), &mut all)?;
        let b = text.as_bytes();
        if may_need_decoding(b) && normalization::needs_decoding(b) {
            let plain = NormalizedText::from_source(b);
            let mut from = 0;
            for part in plain.text.utf8_chunks() {
                let source = |start, end| (plain.source_start(from + start), plain.source_end(from + end));
                self.run_detectors_on(part.valid(), budget.as_ref(), source, &mut all)?;
                from += part.valid().len() + part.invalid().len();
            }
        }
        // Of two that overlap, the longer one is kept and covers both, so that no part of either remains.
        all.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
        let mut joined: Vec<PackedFinding> = Vec::with_capacity(all.len());
        for hit in all {
            match joined.last_mut() {
                Some(last) if hit.start < last.end => {
                    if hit.end - hit.start > last.end - last.start {
                        last.kind = hit.kind;
                        last.score = hit.score;
                    }
                    last.end = last.end.max(hit.end);
                }
                _ => joined.push(hit),
            }
        }
        hits.replace_all(joined);
        Ok(())
    }

    /// Runs every custom detector on one text; `source` maps its spans to the scrubbed text.
    fn run_detectors_on(
        &self,
        text: &str,
        budget: Option<&DetectorBudget>,
        source: impl Fn(usize, usize) -> (usize, usize),
        all: &mut Vec<PackedFinding>,
    ) -> Result<(), ScrubError> {
        for detector in &self.inner.detectors {
            let name = || detector.name().to_owned();
            let spans =
                detector.detect(text, budget).map_err(|e| ScrubError::Detector { detector: name(), reason: e.0 })?;
            if budget.is_some_and(|b| b.remaining().is_zero()) {
                return Err(ScrubError::OutOfTime { detector: name() });
            }
            for span in spans {
                let inside = span.start < span.end && text.get(span.start..span.end).is_some();
                let kind = match &span.entity {
                    Entity::BuiltIn(kind) => Some(*kind as u16),
                    custom => self
                        .inner
                        .detector_entities
                        .iter()
                        .position(|n| n == custom)
                        .map(|i| FIRST_CUSTOM_KIND + i as u16),
                };
                let (true, Some(kind)) = (inside, kind) else {
                    return Err(ScrubError::DetectorSpan { detector: name() });
                };
                let score = (span.score.clamp(0.0, 1.0) * 100.0).round() as u8;
                let (start, end) = source(span.start, span.end);
                all.push(PackedFinding { kind, score, start: start as u32, end: end as u32 });
            }
        }
        Ok(())
    }

    /// Appends the text with its findings replaced.
    pub(crate) fn write_scrubbed(
        &self,
        out: &mut String,
        text: &str,
        hits: &[PackedFinding],
        json: bool,
    ) -> Result<(), ScrubError> {
        let mut from = 0;
        for hit in hits {
            out.push_str(text.get(from..hit.start as usize).unwrap_or_default());
            self.write_replacement(out, hit, text.get(hit.range()).unwrap_or_default(), json)?;
            from = hit.end as usize;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Ok(())
    }

    /// Appends the replacement of one finding.
    pub(crate) fn write_replacement(
        &self,
        out: &mut String,
        hit: &PackedFinding,
        source: &str,
        json: bool,
    ) -> Result<(), ScrubError> {
        let kind = EntityKind::from_index(hit.kind);
        let name = match kind {
            Some(kind) => kind.name(),
            None => self
                .inner
                .detector_entities
                .get(usize::from(hit.kind.wrapping_sub(FIRST_CUSTOM_KIND)))
                .map_or("PII", Entity::name),
        };
        if self.table.all_masked {
            out.push('[');
            out.push_str(name);
            out.push(']');
            return Ok(());
        }
        let (operator, _) = self.table.rule(hit.kind);
        replacement::write_replacement(out, &self.inner.keys, operator, name, kind, source, json)
    }

    pub(crate) fn entity(&self, kind: u16) -> Entity {
        match EntityKind::from_index(kind) {
            Some(kind) => Entity::BuiltIn(kind),
            None => self
                .inner
                .detector_entities
                .get(usize::from(kind.wrapping_sub(FIRST_CUSTOM_KIND)))
                .cloned()
                .unwrap_or(Entity::BuiltIn(EntityKind::DenyList)),
        }
    }

    pub(crate) fn finding(&self, hit: &PackedFinding, base: usize) -> Finding {
        Finding {
            entity: self.entity(hit.kind),
            start: base + hit.start as usize,
            end: base + hit.end as usize,
            score: f32::from(hit.score) / 100.0,
        }
    }
}
