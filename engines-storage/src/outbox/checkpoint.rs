//! The checkpoint of a worker, stored as a document.

use engines_core::{
    Clock, DocId, Error, Result, Scope,
    nexus::{Backend, Batch, CommitError, DocumentKind, Expect, NewDocument},
};
use serde::{Deserialize, Serialize};

const CHECKPOINT_KIND: DocumentKind = DocumentKind::from_static("outbox_place");

#[derive(Serialize, Deserialize)]
struct CheckpointBody {
    position: u64,
}

/// The feed position that a worker has reached, and the version of the document that stores it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) position: u64,
    version: u64,
}

/// The outcome of saving a checkpoint.
pub(super) enum SaveOutcome {
    /// The checkpoint is stored.
    Saved(Checkpoint),
    /// The stored checkpoint has another version than expected; this is the stored one.
    MovedElsewhere(Checkpoint),
}

/// Loads and saves the checkpoint of one sink.
#[derive(Debug)]
pub(super) struct CheckpointStore {
    scope: Scope,
    id: DocId,
}

impl CheckpointStore {
    pub(super) fn for_sink(sink: &str) -> Result<Self> {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=48).contains(&sink.len()) || !sink.bytes().all(fine) {
            let detail = format!("the sink name {sink:?} is not 1 to 48 lower-case letters, digits and _");
            return Err(Error::new(engines_core::Code::IdInvalid, "outbox.sink", detail));
        }
        // The prefix is needed because a document id must not begin with `_`, and a sink's name may.
        Ok(Self { scope: Scope::system()?, id: DocId::new(format!("sink.{sink}"))? })
    }

    pub(super) async fn load(&self, store: &dyn Backend) -> Result<Checkpoint> {
        match store.get(&self.scope, &CHECKPOINT_KIND, &self.id).await? {
            Some(document) => {
                let CheckpointBody { position } = document.decode()?;
                Ok(Checkpoint { position, version: document.version })
            }
            None => Ok(Checkpoint::default()),
        }
    }

    pub(super) async fn save(
        &self,
        store: &dyn Backend,
        clock: &dyn Clock,
        from: Checkpoint,
        position: u64,
    ) -> Result<SaveOutcome> {
        let expect = if from.version == 0 { Expect::Absent } else { Expect::Version(from.version) };
        let document = NewDocument::new(CHECKPOINT_KIND, self.id.clone(), &CheckpointBody { position })?;
        match store.commit(&self.scope, Batch::new(clock.now()).put(document, expect)).await {
            Ok(_) => Ok(SaveOutcome::Saved(Checkpoint { position, version: from.version + 1 })),
            Err(CommitError::Precondition { .. }) => Ok(SaveOutcome::MovedElsewhere(self.load(store).await?)),
            Err(error) => Err(error.into()),
        }
    }
}
