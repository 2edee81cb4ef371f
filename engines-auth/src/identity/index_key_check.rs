//! Noticing that the index's secret is another one than the store was begun with, before anybody seems to have no account.

use engines_core::{
    Batch, Code, DocId, Error, Result, Scope, Store,
    nexus::{CommitError, Expect},
};
use serde::{Deserialize, Serialize};

use super::{
    email_address::IndexHasher,
    records::{self, SETTING},
    service::Identity,
};

use crate::{
    root_key::{self, RootKey},
    secret::SigningSecret,
};

const CHECK: &str = "identity.key_check";

/// What the secret makes of a text that is always the same.
#[derive(Serialize, Deserialize)]
struct IndexKeyCheckBody {
    check: String,
}

impl Identity {
    /// Checks that the secret of the index is the one this store was begun with; the first time, notes which it is. Call it once at the start.
    /// Where no accounts are kept there is nothing to check.
    ///
    /// # Errors
    /// `INTERNAL` when it is another one; failures of the store.
    pub async fn check_index_key(&self) -> Result<()> {
        let inner = &*self.inner;
        let Ok(accounts) = inner.accounts() else { return Ok(()) };
        let (id, check) = (DocId::new("index")?, accounts.index.hash("check", ""));
        for _ in 0..2 {
            if let Some(known) = inner.records.get::<IndexKeyCheckBody>(&SETTING, &id).await? {
                if known.body.check == check {
                    return Ok(());
                }
                let detail = "the root key (or index secret) is not the one these data were begun with: nobody could log in; set that one";
                return Err(Error::new(Code::Internal, CHECK, detail));
            }
            let body = IndexKeyCheckBody { check: check.clone() };
            let batch = records::put(Batch::spanning(inner.now()), SETTING, id.clone(), &[], &body, Expect::Absent)?;
            match inner.records.commit(inner.records.system(), batch).await {
                Ok(_) => return Ok(()),
                // Somebody else was quicker, perhaps with another secret.
                Err(CommitError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable(CHECK, "the note of the index's secret cannot be read"))
    }
}

/// Whether a root key is the one a store was begun with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKeyStatus {
    /// It is.
    Matches,
    /// It is another one: nobody could log in.
    Differs,
    /// The store does not say: nobody has signed up in it, or its index has a secret of its own.
    NotRecorded,
}

impl IndexKeyStatus {
    /// Compares without writing anything; [`Identity::check_index_key`] also notes the key where none is noted.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn load(root: &RootKey, store: &dyn Store) -> Result<Self> {
        let secret = SigningSecret::new(root.derive(root_key::INDEX)?.expose())?;
        let check = IndexHasher::new(&secret).hash("check", "");
        let known = store.get(&Scope::system()?, &SETTING, &DocId::new("index")?).await?;
        let Some(known) = known else { return Ok(Self::NotRecorded) };
        let known: IndexKeyCheckBody = known.decode()?;
        Ok(if known.check == check { Self::Matches } else { Self::Differs })
    }
}
