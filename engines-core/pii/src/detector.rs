//! Detectors of one's own: a model for names, a list of customers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::entity::Entity;

/// What a detector found.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectedSpan {
    /// What it is; one of [`Detector::entities`].
    pub entity: Entity,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends, in bytes.
    pub end: usize,
    /// Confidence, 0 to 1.
    pub score: f32,
}

/// A detector could not do its work. The reason must not hold any of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorError(pub String);

impl fmt::Display for DetectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DetectorError {}

/// How long detectors may take for one text, together.
#[derive(Clone)]
pub struct DetectorBudget {
    pub(crate) limit: Duration,
    pub(crate) now: Arc<dyn Fn() -> Duration + Send + Sync>,
    pub(crate) started_at: Duration,
}

impl DetectorBudget {
    /// What is left; zero when it is used up, and then the scrub fails whatever the detector says.
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

/// Finds what this engine does not: names of people, words of one's own trade.
///
/// It fails closed: an error, a span outside the text, a panic that unwinds or running out of time fails the scrub, and so the write.
///
/// ```
/// use engines_pii::{Budget, Detector, DetectorError, Entity, Scrubber, Span};
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
///     fn detect(&self, text: &str, _: Option<&Budget>) -> Result<Vec<Span>, DetectorError> {
///         let entity = Entity::from_name("PERSON").ok_or_else(|| DetectorError("no such entity".into()))?;
///         let found = self.0.iter().flat_map(|name| text.match_indices(name));
///         Ok(found.map(|(start, name)| Span { entity: entity.clone(), start, end: start + name.len(), score: 0.9 }).collect())
///     }
/// }
///
/// let scrubber = Scrubber::builder().detector(Names(vec!["Ada Lovelace"])).build()?;
/// let clean = scrubber.scrub_text("Ada Lovelace wrote to ada@example.org")?;
/// assert_eq!(clean.value, "[PERSON] wrote to [EMAIL_ADDRESS]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Detector: Send + Sync {
    /// Its name in errors.
    fn name(&self) -> &str;

    /// The entities it can give; policies may name them.
    fn entities(&self) -> Vec<Entity>;

    /// Finds what it finds in one text. `budget` says how much time is left, if there is a limit.
    ///
    /// # Errors
    ///
    /// Any error fails the scrub.
    fn detect(&self, text: &str, budget: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError>;
}
