//! Custom detectors, such as a name model or a list of customers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::entity::Entity;

/// A finding of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectedSpan {
    /// The entity; one of [`Detector::entities`].
    pub entity: Entity,
    /// The start, in bytes.
    pub start: usize,
    /// The end, in bytes.
    pub end: usize,
    /// The confidence, from 0 to 1.
    pub score: f32,
}

/// A detector failed. The reason must not contain any of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorError(pub String);

impl fmt::Display for DetectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DetectorError {}

/// How long all detectors together may take for one text.
#[derive(Clone)]
pub struct DetectorBudget {
    pub(crate) limit: Duration,
    pub(crate) now: Arc<dyn Fn() -> Duration + Send + Sync>,
    pub(crate) started_at: Duration,
}

impl DetectorBudget {
    /// The time that is left. When it is zero, the scrub fails whatever the detector returns.
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub((self.now)().saturating_sub(self.started_at))
    }

    pub(crate) fn restarted(&self) -> Self {
        Self { started_at: (self.now)(), ..self.clone() }
    }
}

impl fmt::Debug for DetectorBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Finds entities that the engine does not know: names of people, terms of a trade.
///
/// It fails closed: an error, a span outside the text, a panic that unwinds or exceeding the time fails the scrub, and
/// so the write.
///
/// ```
/// use engines_pii::{DetectedSpan, Detector, DetectorBudget, DetectorError, Entity, Scrubber};
///
/// struct Names(Vec<&'static str>);
///
/// impl Detector for Names {
///     fn name(&self) -> &str {
///         "names"
///     }
///     fn entities(&self) -> Vec<Entity> {
///         Entity::from_name("PERSON").into_iter().collect()
///     }
///     fn detect(&self, text: &str, _: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError> {
///         let entity = Entity::from_name("PERSON").ok_or_else(|| DetectorError("no such entity".into()))?;
///         let found = self.0.iter().flat_map(|name| text.match_indices(name));
///         let span = |(start, name): (usize, &str)| {
///             DetectedSpan { entity: entity.clone(), start, end: start + name.len(), score: 0.9 }
///         };
///         Ok(found.map(span).collect())
///     }
/// }
///
/// let scrubber = Scrubber::builder().detector(Names(vec!["Ada Lovelace"])).build()?;
/// let clean = scrubber.scrub_text("Ada Lovelace wrote to ada@example.org")?;
/// assert_eq!(clean.value, "[PERSON] wrote to [EMAIL_ADDRESS]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Detector: Send + Sync {
    /// The detector's name in errors.
    fn name(&self) -> &str;

    /// The entities the detector can return; policies may name them.
    fn entities(&self) -> Vec<Entity>;

    /// Finds entities in one text. `budget` tells how much time is left, if there is a limit.
    ///
    /// # Errors
    ///
    /// Any error fails the scrub.
    fn detect(&self, text: &str, budget: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError>;
}
