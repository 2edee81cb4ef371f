//! The form of a secret with a prefix.

use crate::entity::EntityKind;
use crate::scan::body_set::BodySet;

/// A prefix of secrets, with the characters and the length of what follows it.
pub(super) struct SecretPrefix {
    pub(super) text: &'static str,
    pub(super) kind: EntityKind,
    pub(super) set: BodySet,
    pub(super) min_body: usize,
    pub(super) max_body: usize,
}

pub(super) const fn prefix(
    text: &'static str,
    kind: EntityKind,
    set: BodySet,
    least: usize,
    most: usize,
) -> SecretPrefix {
    SecretPrefix { text, kind, set, min_body: least, max_body: most }
}
