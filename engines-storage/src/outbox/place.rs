//! A worker's place, kept in the store.

use engines_core::{
    Clock, DocId, Error, Result, Scope,
    nexus::{Backend, Batch, CommitError, Expect, Kind, NewDocument},
};
use serde::{Deserialize, Serialize};

const PLACE: Kind = Kind::known("outbox_place");

#[derive(Serialize, Deserialize)]
struct Body {
    position: u64,
}

/// A worker's place, and the version of the document it is kept in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    version: u64,
}

/// What keeping a place led to.
pub(super) enum Kept {
    /// It is kept.
    Here(Place),
    /// Somebody else has moved it; this is where it is now.
    Elsewhere(Place),
}

/// Where a sink's place is kept.
#[derive(Debug)]
pub(super) struct Places {
    scope: Scope,
    id: DocId,
}

impl Places {
    pub(super) fn of(sink: &str) -> Result<Self> {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !(1..=48).contains(&sink.len()) || !sink.bytes().all(fine) {
            let detail = format!("the sink name {sink:?} is not 1 to 48 lower-case letters, digits and _");
            return Err(Error::new(engines_core::Code::IdInvalid, "outbox.sink", detail));
        }
        // A document's id does not begin with `_`, and a sink's name may.
        Ok(Self { scope: Scope::system()?, id: DocId::new(format!("sink.{sink}"))? })
    }

    pub(super) async fn load(&self, store: &dyn Backend) -> Result<Place> {
        match store.get(&self.scope, &PLACE, &self.id).await? {
            Some(document) => {
                let Body { position } = document.decode()?;
                Ok(Place { position, version: document.version })
            }
            None => Ok(Place::default()),
        }
    }

    pub(super) async fn keep(
        &self,
        store: &dyn Backend,
        clock: &dyn Clock,
        from: Place,
        position: u64,
    ) -> Result<Kept> {
        let expect = if from.version == 0 { Expect::Absent } else { Expect::Version(from.version) };
        let document = NewDocument::new(PLACE, self.id.clone(), &Body { position })?;
        match store.commit(&self.scope, Batch::new(clock.now()).put(document, expect)).await {
            Ok(_) => Ok(Kept::Here(Place { position, version: from.version + 1 })),
            Err(CommitError::Precondition { .. }) => Ok(Kept::Elsewhere(self.load(store).await?)),
            Err(error) => Err(error.into()),
        }
    }
}
