//! What goes from where a tenant is read to where it is written, through a bounded channel.

use engines_core::{
    Env, Result, Scope,
    nexus::{
        Page,
        archive::{Archive, Record, Section},
    },
};
use engines_storage::archive::{Header, LeftOut, Member};
use tokio::sync::mpsc;

/// Parts that wait in the channel. Each has at most some megabytes.
pub(super) const WAITING: usize = 4;
/// Records read at a time.
const RECORDS: usize = 1000;
/// The family of key slots: secrets of the tenant, sealed with keys of the deployment.
pub(super) const KEY_SLOT: &str = "key_slot";

/// A part of a tenant on its way.
#[derive(Debug)]
pub(super) enum Part {
    Header(Header),
    Records(Env, Vec<Record>),
    Members(Vec<Member>),
    /// Everything came, and what is left out.
    End(Vec<LeftOut>),
}

pub(super) type Sender = mpsc::Sender<Result<Part>>;
pub(super) type Receiver = mpsc::Receiver<Result<Part>>;

/// Sends every record of a scope as it is at one moment; counts the key slots that are left out. Stops early when nobody receives any more.
pub(super) async fn send_scope(
    archive: &dyn Archive,
    scope: &Scope,
    key_slots: bool,
    left_out: &mut u64,
    to: &Sender,
) -> Result<()> {
    let snapshot = archive.snapshot(scope).await?;
    for section in Section::ALL {
        let mut page = Page::first(RECORDS);
        loop {
            let found = snapshot.records(section, page).await?;
            let count = found.items.len();
            let mut records: Vec<_> = found.items.into_iter().map(without_position).collect();
            if !key_slots {
                records.retain(|record| !is_key_slot(record));
                *left_out += (count - records.len()) as u64;
            }
            if !records.is_empty() && to.send(Ok(Part::Records(scope.env(), records))).await.is_err() {
                return Ok(());
            }
            match found.next {
                Some(next) => page = Page::after(RECORDS, next),
                None => break,
            }
        }
    }
    Ok(())
}

/// Whether it is a key slot.
pub(super) fn is_key_slot(record: &Record) -> bool {
    matches!(record, Record::Document(document) if document.kind.as_str() == KEY_SLOT)
}

/// A position in the feed belongs to the store, not to the tenant.
pub(super) fn without_position(record: Record) -> Record {
    match record {
        Record::Event(_, event) => Record::Event(None, event),
        record => record,
    }
}

/// Whether anything is stored in a scope.
pub(super) async fn is_empty(archive: &dyn Archive, scope: &Scope) -> Result<bool> {
    let snapshot = archive.snapshot(scope).await?;
    for section in Section::ALL.into_iter().filter(|section| *section != Section::Counters) {
        if !snapshot.records(section, Page::first(1)).await?.items.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
