//! Removal of a scope's data, a bounded number of items at a time.

use engines_core::{
    Code, Error, Result, Scope,
    event::EventFilter,
    nexus::{Removal, RemovalProgress},
};

use super::{scope_data::ScopeData, sizes::ITEM_OVERHEAD_BYTES, state::MemoryState};

impl MemoryState {
    /// Performs one step of a removal.
    pub(super) fn remove(
        &mut self,
        scope: &Scope,
        removal: &Removal,
        limit: usize,
        after: Option<&str>,
    ) -> Result<RemovalProgress> {
        let start = after.map_or(Ok(0), |text| text.parse::<u64>().map_err(|_| cursor_invalid()))?;
        let limit = limit.max(1);
        let Some(space) = self.scopes.get_mut(scope) else {
            return Ok(RemovalProgress { done: true, ..RemovalProgress::default() });
        };
        let (removed, freed) = match removal {
            Removal::Events { filter, delivered } => {
                let step = space.events.remove(filter, *delivered, start, limit);
                for position in step.positions {
                    self.feed.remove(&position);
                }
                let position = Some(step.reached.to_string());
                (RemovalProgress { removed: step.removed, position, done: step.done }, step.freed)
            }
            Removal::Receipts { before } => {
                let (removed, freed, more) = space.receipts.remove(Some(*before), limit);
                (RemovalProgress { removed, position: None, done: !more }, freed)
            }
            Removal::Audit { before } => {
                let (mut removed, mut freed) = (0, 0);
                // The newest record stays.
                while removed < limit && space.audit.len() > 1 {
                    if space.audit.front().is_none_or(|entry| entry.ts >= *before) {
                        break;
                    }
                    let Some(entry) = space.audit.pop_front() else { break };
                    freed += ITEM_OVERHEAD_BYTES + entry.resource.len();
                    removed += 1;
                }
                space.audit_removed += removed;
                (RemovalProgress { removed: removed as u64, position: None, done: removed < limit }, freed)
            }
            Removal::Scope => {
                let (removed, freed, positions) = remove_contents(space, limit);
                for position in positions {
                    self.feed.remove(&position);
                }
                let done = removed < limit;
                if done {
                    self.scopes.remove(scope);
                }
                (RemovalProgress { removed: removed as u64, position: None, done }, freed)
            }
            // `Removal` is non-exhaustive: a later version of the trait may add a variant.
            _ => return Err(Error::internal("memory.remove", "this backend does not support the removal; update it")),
        };
        self.bytes = self.bytes.saturating_sub(freed);
        Ok(removed)
    }
}

/// Removes up to `limit` items. Returns their number, the bytes freed, and the feed positions of removed events.
fn remove_contents(space: &mut ScopeData, limit: usize) -> (usize, usize, Vec<u64>) {
    let (mut removed, mut freed) = (0, 0);
    space.documents.retain(|_, documents| {
        while removed < limit {
            let Some(bytes) = documents.delete_any() else { return false };
            freed += bytes;
            removed += 1;
        }
        true
    });
    space.streams.retain(|_, log| {
        while removed < limit {
            let head = log.head();
            if head.first > head.seq {
                removed += 1;
                freed += if head.deleted { ITEM_OVERHEAD_BYTES } else { 0 };
                return false;
            }
            let left = (limit - removed) as u64;
            let first = head.first.plus(left).min(head.seq.next());
            freed += log.trim(first);
            removed += usize::try_from(first.0 - head.first.0).unwrap_or(usize::MAX);
        }
        true
    });
    let mut positions = Vec::new();
    if removed < limit {
        let step = space.events.remove(&EventFilter::default(), None, 0, limit - removed);
        removed += usize::try_from(step.removed).unwrap_or(usize::MAX);
        freed += step.freed;
        positions = step.positions;
    }
    if removed < limit {
        let (receipts, bytes, _) = space.receipts.remove(None, limit - removed);
        removed += usize::try_from(receipts).unwrap_or(usize::MAX);
        freed += bytes;
    }
    while removed < limit {
        let Some(entry) = space.audit.pop_front() else { break };
        freed += ITEM_OVERHEAD_BYTES + entry.resource.len();
        removed += 1;
    }
    (removed, freed, positions)
}

fn cursor_invalid() -> Error {
    Error::new(Code::CursorInvalid, "memory.remove", "the position is malformed; use that of the last step unchanged")
}
