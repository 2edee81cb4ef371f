//! Detection of a wrong index secret, before accounts seem to be missing.

use engines_core::{Batch, Code, DocId, Error, Result, Scope, Store, nexus::Expect};
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

/// The hash of a constant text under the index secret.
#[derive(Serialize, Deserialize)]
struct IndexKeyCheckBody {
    check: String,
}

impl Identity {
    /// Checks that the index secret is the one that this store was created with. The first call records the secret's
    /// hash. Call it once at the start. Without accounts there is nothing to check.
    ///
    /// # Errors
    /// `INTERNAL` when the secret is another one; errors of the store.
    pub async fn check_index_key(&self) -> Result<()> {
        let state = &*self.state;
        let Ok(accounts) = state.accounts() else { return Ok(()) };
        let (id, check) = (DocId::new("index")?, accounts.index.hash("check", ""));
        for _ in 0..2 {
            if let Some(known) = state.records.get::<IndexKeyCheckBody>(&SETTING, &id).await? {
                if known.body.check == check {
                    return Ok(());
                }
                let detail = "the root key (or index secret) is not the one that this store was created with, so no account can be found; configure that one";
                return Err(Error::new(Code::Internal, CHECK, detail));
            }
            let body = IndexKeyCheckBody { check: check.clone() };
            let batch = records::put(Batch::spanning(state.now()), SETTING, id.clone(), &[], &body, Expect::Absent)?;
            // False if another process has recorded a hash, perhaps of another secret.
            if state.records.try_commit(state.records.system(), batch).await? {
                return Ok(());
            }
        }
        Err(Error::unavailable(CHECK, "the record of the index secret cannot be read"))
    }
}

/// Whether a root key is the one that a store was created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKeyStatus {
    /// The root key matches.
    Matches,
    /// The root key is another one. No user could log in with it.
    Differs,
    /// The store has no record: no server with accounts was started on it, or its index has a secret of its own.
    NotRecorded,
}

impl IndexKeyStatus {
    /// Compares without writing anything. [`Identity::check_index_key`] also records the key if none is recorded.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn load(root: &RootKey, store: &dyn Store) -> Result<Self> {
        let secret = SigningSecret::new(root.derive(root_key::INDEX)?.expose())?;
        let check = IndexHasher::new(&secret).hash("check", "");
        let known = store.get(&Scope::system()?, &SETTING, &DocId::new("index")?).await?;
        let Some(known) = known else { return Ok(Self::NotRecorded) };
        let known: IndexKeyCheckBody = known.decode()?;
        Ok(if known.check == check { Self::Matches } else { Self::Differs })
    }
}
