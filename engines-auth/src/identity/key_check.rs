//! Noticing that the index's secret is another one than the store was begun with, before anybody seems to have no account.

use engines_core::{
    Batch, Code, DocId, Error, Result,
    nexus::{CommitError, Expect},
};
use serde::{Deserialize, Serialize};

use super::{
    records::{self, SETTING},
    service::Identity,
};

const CHECK: &str = "identity.key_check";

/// What the secret makes of a text that is always the same.
#[derive(Serialize, Deserialize)]
struct CheckBody {
    check: String,
}

impl Identity {
    /// Checks that the secret of the index is the one this store was begun with; the first time, notes which it is. Call it once at the start.
    /// Where no accounts are kept there is nothing to check.
    ///
    /// # Errors
    /// `INTERNAL` when it is another one; failures of the store.
    pub async fn check_index(&self) -> Result<()> {
        let inner = &*self.inner;
        let Ok(accounts) = inner.accounts() else { return Ok(()) };
        let (id, check) = (DocId::new("index")?, accounts.index.of("check", ""));
        for _ in 0..2 {
            if let Some(known) = inner.records.get::<CheckBody>(&SETTING, &id).await? {
                if known.body.check == check {
                    return Ok(());
                }
                let detail = "the root key (or index secret) is not the one these data were begun with: nobody could log in; set that one";
                return Err(Error::new(Code::Internal, CHECK, detail));
            }
            let body = CheckBody { check: check.clone() };
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
