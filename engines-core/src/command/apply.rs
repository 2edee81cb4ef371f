//! Application of a batch of ops, all or nothing.

use super::draft::Draft;
use super::error::{OpError, OpErrorKind, OpFault};
use super::limits::CommandLimits;
use super::op::Op;
use super::reducer::Reducer;
use super::size::SizedDocument;

/// The result of applying a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplySummary {
    /// The number of ops in the batch.
    pub ops: usize,
    /// The document's size before, as counted by [`SizedDocument::size`].
    pub size_before: usize,
    /// The document's size after.
    pub size_after: usize,
}

/// Applies all ops of a batch in order, or none of them.
///
/// The cost is that of the edits; the whole document is neither cloned nor traversed. A batch may be empty.
///
/// # Errors
/// The first op that cannot be applied; the state is then unchanged. Any [`OpErrorKind`] except those of parsing;
/// [`OpErrorKind::TooManyOps`] has the index of the first op too many.
pub fn apply_batch<R: Reducer + ?Sized>(
    reducer: &R,
    state: &mut SizedDocument,
    ops: &[Op],
    limits: &CommandLimits,
) -> Result<ApplySummary, OpError> {
    if ops.len() > limits.max_ops {
        let detail = format!("a batch has at most {} ops", limits.max_ops);
        return Err(OpFault::new(OpErrorKind::TooManyOps, detail).with_index(limits.max_ops));
    }
    let mut draft = Draft::new(state, limits);
    for (index, op) in ops.iter().enumerate() {
        // Returning early drops the draft, which reverts all edits.
        reducer.apply(&mut draft, op).map_err(|fault| fault.with_index(index))?;
    }
    let (size_before, size_after) = draft.commit();
    Ok(ApplySummary { ops: ops.len(), size_before, size_after })
}
