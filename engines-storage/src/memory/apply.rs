//! A batch: first everything is checked, then everything is done, and what is done cannot fail.

use std::collections::HashMap;

use engines_core::{
    Error, Scope,
    nexus::{
        Appended, Batch, Change, CommitError, EventOutcome, Expect, ExpectedHead, Failed, FeedItem, Head, Once, Realm,
        Receipt, Write,
    },
    stream::{Seq, StreamKey},
};

use super::space::{OVERHEAD, Space};

/// Everything a memory store holds.
#[derive(Default)]
pub(super) struct State {
    spaces: HashMap<Scope, Space>,
    /// Of every scope, in the order of commits: the event at position n is at n − 1.
    feed: Vec<(Scope, usize)>,
    bytes: usize,
}

impl State {
    pub(super) fn space(&self, scope: &Scope) -> Option<&Space> {
        self.spaces.get(scope)
    }

    pub(super) fn feed(&self, position: u64, limit: usize) -> Vec<FeedItem> {
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        let rest = self.feed.get(skip..).unwrap_or_default();
        (position + 1..)
            .zip(rest.iter().take(limit))
            .filter_map(|(position, (scope, place))| {
                let event = self.spaces.get(scope)?.events.get(*place)?;
                Some(FeedItem { position, scope: scope.clone(), event: event.clone() })
            })
            .collect()
    }

    pub(super) fn receipt(&self, scope: &Scope, once: &Once) -> Option<&(Receipt, [u8; 32])> {
        self.space(scope)?.receipts.get(&once.realm)?.get(&once.key)
    }

    /// Commits `batch`, which is within the limits on one batch; returns what to tell those who wait for changes.
    pub(super) fn commit(
        &mut self,
        scope: &Scope,
        system: &Scope,
        batch: Batch,
        total_bytes: usize,
    ) -> Result<(Receipt, Option<Change>), CommitError> {
        if let Some(once) = batch.once_key()
            && let Some((receipt, fingerprint)) = self.receipt(scope, once)
        {
            if *fingerprint != once.fingerprint {
                return Err(CommitError::IdempotencyMismatch);
            }
            return Ok((Receipt { replayed: true, ..receipt.clone() }, None));
        }
        for (index, write) in batch.writes().iter().enumerate() {
            if let Some(failed) = self.failed(scope, system, write) {
                return Err(CommitError::Precondition { index, failed });
            }
            self.check_trim(scope, write)?;
        }
        let grows = growth(&batch);
        if grows > 0 && self.bytes.saturating_add(grows) > total_bytes {
            return Err(CommitError::Backend(Error::unavailable("memory.commit", "the memory store is full")));
        }
        self.bytes += grows;
        let (at, once, writes) = batch.into_parts();
        let mut receipt = Receipt::default();
        let mut heads = Vec::new();
        for write in writes {
            self.apply(scope, system, at, write, &mut receipt, &mut heads);
        }
        if let Some(once) = once {
            receipt.note = once.note;
            let space = self.spaces.entry(scope.clone()).or_default();
            let keys = space.receipts.entry(once.realm).or_default();
            keys.insert(once.key, (receipt.clone(), once.fingerprint));
        }
        Ok((receipt, (!heads.is_empty()).then(|| Change::Appended(heads.into()))))
    }

    /// What a write found instead of what it expects.
    fn failed(&self, scope: &Scope, system: &Scope, write: &Write) -> Option<Failed> {
        let (realm, kind, id, expect) = match write {
            Write::Put { realm, document, expect } => (realm, &document.kind, &document.id, expect),
            Write::Delete { realm, kind, id, expect } => (realm, kind, id, expect),
            Write::Append { key, expected: ExpectedHead::Seq(wanted), .. } => {
                let head = self.head(scope, key).seq;
                return (head != *wanted).then(|| Failed::Stream { key: key.clone(), head });
            }
            _ => return None,
        };
        let space = self.space(home(scope, system, *realm));
        let version = space.and_then(|space| space.documents.get(kind)?.get(id)).map(|document| document.version);
        let holds = match expect {
            Expect::Absent => version.is_none(),
            Expect::Version(wanted) => version == Some(*wanted),
            Expect::Present => version.is_some(),
            Expect::Any => true,
        };
        (!holds).then(|| Failed::Document { kind: kind.clone(), id: id.clone(), version })
    }

    fn check_trim(&self, scope: &Scope, write: &Write) -> Result<(), CommitError> {
        match write {
            Write::Trim { key, first } if *first > self.head(scope, key).seq.next() => {
                let detail = "a trim may go one past the head and no further";
                Err(CommitError::Refused(Error::internal("store.commit", detail)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn head(&self, scope: &Scope, key: &StreamKey) -> Head {
        let log = self.space(scope).and_then(|space| space.streams.get(key));
        log.map_or(Head { seq: Seq::ZERO, first: Seq(1) }, super::space::Log::head)
    }

    fn apply(
        &mut self,
        scope: &Scope,
        system: &Scope,
        at: engines_core::Timestamp,
        write: Write,
        receipt: &mut Receipt,
        heads: &mut Vec<(Scope, StreamKey, Seq)>,
    ) {
        let realm = match &write {
            Write::Put { realm, .. } | Write::Delete { realm, .. } => *realm,
            _ => Realm::Own,
        };
        let space = self.spaces.entry(home(scope, system, realm).clone()).or_default();
        let freed = match write {
            Write::Put { document, .. } => {
                let (version, freed) = space.documents.entry(document.kind.clone()).or_default().put(document, at);
                receipt.versions.push(version);
                freed
            }
            Write::Delete { kind, id, .. } => {
                receipt.versions.push(0);
                space.documents.get_mut(&kind).map_or(0, |documents| documents.delete(&id))
            }
            Write::Append { key, events, .. } => {
                let event_id = events.last().map(|event| event.event_id).unwrap_or_default();
                let (first, last) = space.streams.entry(key.clone()).or_default().append(events);
                heads.push((scope.clone(), key.clone(), last));
                receipt.appended.push(Appended { key, first, last, event_id });
                0
            }
            Write::Trim { key, first } => space.streams.get_mut(&key).map_or(0, |log| log.trim(first)),
            Write::Record { event, once } => {
                let place = space.events.len();
                let seq = Seq(place as u64 + 1);
                let again = once.as_ref().and_then(|once| space.again(once));
                let freed =
                    again.as_ref().zip(once.as_ref()).map_or(0, |(_, once)| OVERHEAD + event.size() + kept(once));
                let outcome = again.unwrap_or_else(|| {
                    if let Some(once) = once {
                        space.keep_key(*once, seq);
                    }
                    space.record(event.stored(seq));
                    self.feed.push((scope.clone(), place));
                    EventOutcome::Kept(seq)
                });
                receipt.recorded.push(outcome);
                freed
            }
            Write::Audit(entry) => {
                space.audit.push(entry);
                0
            }
            // A write of a later version of the contract than this backend; there is none yet.
            _ => 0,
        };
        self.bytes = self.bytes.saturating_sub(freed);
    }
}

fn home<'a>(scope: &'a Scope, system: &'a Scope, realm: Realm) -> &'a Scope {
    match realm {
        Realm::Own => scope,
        Realm::System => system,
    }
}

/// Bytes a batch adds, roughly.
fn growth(batch: &Batch) -> usize {
    let writes: usize = batch
        .writes()
        .iter()
        .map(|write| match write {
            Write::Delete { .. } | Write::Trim { .. } => 0,
            Write::Append { events, .. } => write.size() + OVERHEAD * events.len(),
            Write::Record { once: Some(once), .. } => write.size() + OVERHEAD + kept(once),
            _ => write.size() + OVERHEAD,
        })
        .sum();
    writes + batch.once_key().map_or(0, kept)
}

fn kept(once: &Once) -> usize {
    OVERHEAD + once.realm.len() + once.key.len() + once.note.len()
}
