//! The parts of a tenant on their way from the reader to the writer, through a bounded channel.

use engines_auth::key_slot::KEY_SLOT;
use engines_core::{
    Env, Result, Scope,
    nexus::{
        PageRequest,
        archive::{Archive, ArchiveRecord, Section},
    },
};
use engines_storage::archive::{ArchiveHeader, Omission, TenantMember};
use tokio::sync::mpsc;

/// The most parts that wait in the channel. Each has some megabytes at most.
pub(super) const CHANNEL_CAPACITY: usize = 4;
/// Records read at a time.
const RECORDS_PER_PAGE: usize = 1000;

/// A part of a tenant.
#[derive(Debug)]
pub(super) enum TransferPart {
    Header(ArchiveHeader),
    Records(Env, Vec<ArchiveRecord>),
    Members(Vec<TenantMember>),
    /// The end: all parts were sent; lists what was left out.
    End(Vec<Omission>),
}

pub(super) type PartSender = mpsc::Sender<Result<TransferPart>>;
pub(super) type PartReceiver = mpsc::Receiver<Result<TransferPart>>;

/// Sends every record of a scope as it is at one moment; counts the key slots that are left out. Stops early when the
/// receiver is gone.
pub(super) async fn send_scope(
    archive: &dyn Archive,
    scope: &Scope,
    key_slots: bool,
    left_out: &mut u64,
    to: &PartSender,
) -> Result<()> {
    let snapshot = archive.snapshot(scope).await?;
    for section in Section::ALL {
        let mut page = PageRequest::first(RECORDS_PER_PAGE);
        loop {
            let found = snapshot.records(section, page).await?;
            let count = found.items.len();
            let mut records: Vec<_> = found.items.into_iter().map(without_position).collect();
            if !key_slots {
                records.retain(|record| !is_key_slot(record));
                *left_out += (count - records.len()) as u64;
            }
            if !records.is_empty() && to.send(Ok(TransferPart::Records(scope.env(), records))).await.is_err() {
                return Ok(());
            }
            match found.next {
                Some(next) => page = PageRequest::after(RECORDS_PER_PAGE, next),
                None => break,
            }
        }
    }
    Ok(())
}

/// Whether the record is a key slot.
pub(super) fn is_key_slot(record: &ArchiveRecord) -> bool {
    matches!(record, ArchiveRecord::Document(document) if document.kind == KEY_SLOT)
}

/// Removes the position in the feed, which belongs to the store and not to the tenant.
pub(super) fn without_position(record: ArchiveRecord) -> ArchiveRecord {
    match record {
        ArchiveRecord::Event(_, event) => ArchiveRecord::Event(None, event),
        record => record,
    }
}

/// Whether a scope holds no data.
pub(super) async fn is_empty(archive: &dyn Archive, scope: &Scope) -> Result<bool> {
    let snapshot = archive.snapshot(scope).await?;
    for section in Section::ALL.into_iter().filter(|section| *section != Section::Counters) {
        if !snapshot.records(section, PageRequest::first(1)).await?.items.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
