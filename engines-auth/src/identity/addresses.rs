//! Ownership of e-mail addresses: one account that has verified an address, or several that only claim it.
//!
//! Each address has one document, found by its keyed hash. It is written with the version that was read, so that of two
//! accounts that verify an address at the same time one succeeds. An account that only claims the address may sign in
//! with it until another account verifies it. Then the address is removed from the account's document, and nothing else
//! of the account changes.

use engines_core::{
    Batch, Code, DocId, Error, Result, UserId,
    nexus::{CommitError, Expect, FailedPrecondition},
};

use super::{
    documents::{EmailBody, UserBody},
    records::{self, EMAIL, StoredDocument, USER},
    state::IdentityState,
    wire::Caller,
};

const ADDRESS_LOST: &str = "accounts.address_lost";

/// An account that is about to be created.
pub(super) struct NewAccount {
    pub(super) user: UserBody,
    /// The keyed hash of the address, by which the account is found.
    pub(super) key: String,
}

/// The document of an address, if there is one.
#[derive(Debug)]
pub(super) struct AddressEntry {
    key: String,
    id: DocId,
    stored: Option<StoredDocument<EmailBody>>,
}

/// A batch, and the users that it changes besides the caller.
pub(super) struct AddressChange {
    pub(super) batch: Batch,
    pub(super) changed_users: Vec<UserId>,
}

impl AddressEntry {
    /// Returns the account that has verified the address.
    pub(super) fn holder(&self) -> Option<&UserId> {
        self.stored.as_ref()?.body.user_id.as_ref()
    }

    /// Returns the accounts that claim the address, the oldest claim first.
    pub(super) fn claims(&self) -> &[UserId] {
        self.stored.as_ref().map_or(&[], |entry| &entry.body.claims)
    }

    /// Adds the new state of the address to a batch.
    fn put(&self, batch: Batch, body: &EmailBody) -> Result<Batch> {
        let expect = self.stored.as_ref().map_or(Expect::Absent, |entry| Expect::Version(entry.version));
        if body.user_id.is_none() && body.claims.is_empty() {
            return Ok(match &self.stored {
                Some(_) => batch.delete_system(EMAIL, self.id.clone(), expect),
                None => batch,
            });
        }
        records::put(batch, EMAIL, self.id.clone(), &[], body, expect)
    }
}

impl IdentityState {
    pub(super) async fn address_entry(&self, key: &str) -> Result<AddressEntry> {
        let id = DocId::new(key)?;
        let stored = self.records.get::<EmailBody>(&EMAIL, &id).await?;
        Ok(AddressEntry { key: key.to_owned(), id, stored })
    }

    /// Returns the address with this hash that the account claims and may verify: its current address or the pending
    /// one.
    pub(super) fn claimed_address<'a>(&self, user: &'a UserBody, key: &str) -> Result<Option<&'a str>> {
        let accounts = self.accounts()?;
        let named =
            user.email.as_deref().filter(|_| !user.email_verified).into_iter().chain(user.pending_email.as_deref());
        Ok(named.into_iter().find(|address| accounts.address_key(address) == key))
    }

    /// Adds a new account to a batch: with its address verified, or as one more claim. When the limit of claims is
    /// reached, the oldest one ends. Its account can still verify the address by mail.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when another account has verified the address.
    pub(super) async fn put_account(
        &self,
        operation: &'static str,
        batch: Batch,
        account: &NewAccount,
        proved: bool,
        caller: &Caller<'_>,
    ) -> Result<AddressChange> {
        let entry = self.address_entry(&account.key).await?;
        if entry.holder().is_some() {
            return Err(address_in_use(operation));
        }
        let user = UserBody { email_verified: proved, ..account.user.clone() };
        let batch = records::put(batch, USER, records::user_id(&user.user_id)?, &[], &user, Expect::Absent)?;
        if proved {
            return self.assign_address(batch, &entry, &user.user_id, caller).await;
        }
        let mut claims = entry.claims().to_vec();
        let over = (claims.len() + 1).saturating_sub(self.settings.unverified_per_address);
        let ended: Vec<_> = claims.drain(..over.min(claims.len())).collect();
        claims.push(user.user_id);
        let batch = entry.put(batch, &EmailBody { user_id: None, claims })?;
        self.end_claims(batch, &entry, &ended, true, caller).await
    }

    /// Assigns an address to the account that has verified it, and ends all other claims.
    pub(super) async fn assign_address(
        &self,
        batch: Batch,
        entry: &AddressEntry,
        user: &UserId,
        caller: &Caller<'_>,
    ) -> Result<AddressChange> {
        let batch = entry.put(batch, &EmailBody { user_id: Some(user.clone()), claims: Vec::new() })?;
        let others: Vec<_> = entry.claims().iter().filter(|other| *other != user).cloned().collect();
        self.end_claims(batch, entry, &others, false, caller).await
    }

    /// Releases an address that the account has verified or claims.
    pub(super) async fn release_address(&self, batch: Batch, address: &str, user: &UserId) -> Result<Batch> {
        let entry = self.address_entry(&self.accounts()?.address_key(address)).await?;
        let Some(stored) = &entry.stored else { return Ok(batch) };
        let mut body = stored.body.clone();
        body.user_id = body.user_id.filter(|holder| holder != user);
        body.claims.retain(|other| other != user);
        if body == stored.body {
            return Ok(batch);
        }
        entry.put(batch, &body)
    }

    /// Removes the address from the documents of accounts that claim it. With `may_prove` they can still verify it.
    async fn end_claims(
        &self,
        mut batch: Batch,
        entry: &AddressEntry,
        ended: &[UserId],
        may_prove: bool,
        caller: &Caller<'_>,
    ) -> Result<AddressChange> {
        let mut others = Vec::new();
        for user in ended {
            let Some(found) = self.user(user).await? else { continue };
            let Some(address) = self.claimed_address(&found.body, &entry.key)?.map(str::to_owned) else { continue };
            let own = found.body.email.as_deref() == Some(&*address);
            let pending = found.body.pending_email.clone().filter(|pending| *pending != address);
            let body = UserBody {
                email: found.body.email.clone().filter(|_| !own),
                pending_email: pending.or_else(|| may_prove.then_some(address)),
                ..found.body
            };
            let audit =
                self.audit(batch.at(), ADDRESS_LOST, format!("users/{}", records::user_key(user)), user, caller.trace);
            batch = records::put(batch.audit(audit), USER, found.id, &[], &body, Expect::Version(found.version))?;
            others.push(user.clone());
        }
        Ok(AddressChange { batch, changed_users: others })
    }

    /// Returns the accounts that may sign in with an address, at most `unverified_per_address`. It makes as many reads
    /// when there is no account.
    pub(super) async fn login_candidates(&self, key: &str) -> Result<Vec<StoredDocument<UserBody>>> {
        let entry = self.address_entry(key).await?;
        let ids: Vec<_> = entry.holder().into_iter().chain(entry.claims()).cloned().collect();
        if ids.is_empty() {
            // A different number of reads would reveal whether there is an account. Without one, an arbitrary user is
            // read and ignored.
            self.user(&UserId::new("nobody")?).await?;
        }
        let found = futures_util::future::try_join_all(ids.iter().map(|user| self.user(user))).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Translates the failure of a batch that creates an account.
pub(super) fn map_address_conflict(operation: &'static str, error: CommitError) -> Error {
    match error {
        CommitError::Precondition { failed: FailedPrecondition::Document { ref kind, .. }, .. } if *kind == EMAIL => {
            address_in_use(operation)
        }
        other => other.into(),
    }
}

pub(super) fn address_in_use(operation: &'static str) -> Error {
    Error::new(Code::AlreadyExists, operation, "this e-mail address has an account; log in instead")
}
