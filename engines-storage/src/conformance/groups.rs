//! The groups of cases.

use super::{
    archive, audit, backup, batches, case::Case, changes, compare_and_swap, documents, events, health, idempotency,
    isolation, limits, ordering, paging, readers, removal, reopen, streams, text,
};

/// All groups of cases, by the name of their module, in the order in which they run.
pub(super) fn groups() -> [(&'static str, Vec<Case>); 19] {
    [
        ("documents", documents::cases()),
        ("text", text::cases()),
        ("batches", batches::cases()),
        ("compare_and_swap", compare_and_swap::cases()),
        ("streams", streams::cases()),
        ("idempotency", idempotency::cases()),
        ("events", events::cases()),
        ("audit", audit::cases()),
        ("paging", paging::cases()),
        ("isolation", isolation::cases()),
        ("ordering", ordering::cases()),
        ("readers", readers::cases()),
        ("changes", changes::cases()),
        ("health", health::cases()),
        ("limits", limits::cases()),
        ("removal", removal::cases()),
        ("archive", archive::cases()),
        ("reopen", reopen::cases()),
        ("backup", backup::cases()),
    ]
}
