//! Rules that the deletion of threads and of canvases share.

use engines_core::{
    Batch, Code, Error, Guard, RequestContext, Result, Role, Store, StreamKey, UserId,
    access::Action,
    nexus::{CommitError, FailedPrecondition},
};

/// Admits a deletion by the creator of the object, or by an admin.
///
/// # Errors
/// `ROLE_INSUFFICIENT`, with a `decision_id`.
pub(crate) fn require_creator_or_admin(
    guard: &Guard,
    context: &RequestContext,
    action: Action,
    created_by: &UserId,
) -> Result<()> {
    if context.role() >= Role::Admin || context.actor().id == *created_by {
        return Ok(());
    }
    let detail = "only its creator or an admin may delete it";
    Err(Error::new(Code::RoleInsufficient, action.spec().name, detail)
        .with_member("action", action.spec().name)
        .with_member("least_role", Role::Admin.as_str())
        .with_member("decision_id", guard.decision_id()))
}

/// Makes a batch that creates a stream's document fail if a stream of this name was deleted: ids are not reused.
pub(crate) fn require_name_unused(store: &dyn Store, batch: Batch, key: &StreamKey) -> Batch {
    // A backend that cannot delete streams has no deleted ones.
    if store.capabilities().removes { batch.expect_stream(key.clone()) } else { batch }
}

/// The error for a creation that failed because an object with this id exists or existed.
pub(crate) fn already_exists(operation: &'static str, what: &str, error: CommitError) -> Error {
    match error {
        CommitError::Precondition { failed: FailedPrecondition::Document { .. }, .. } => {
            let detail = format!("a {what} with this id exists; choose another or send none");
            Error::new(Code::AlreadyExists, operation, detail)
        }
        CommitError::Precondition { failed: FailedPrecondition::Deleted { .. }, .. } => {
            let detail =
                format!("a {what} with this id was deleted, and ids are not reused; choose another or send none");
            Error::new(Code::AlreadyExists, operation, detail)
        }
        other => other.into(),
    }
}

/// Turns the error of a creation that the id is taken into `None`.
pub(crate) fn none_if_exists<T>(created: Result<T>) -> Result<Option<T>> {
    match created {
        Ok(created) => Ok(Some(created)),
        Err(error) if error.code() == Code::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}
