//! Access to the documents of identity. All of them belong to the control plane.
//!
//! They live in [`Scope::system`], because a credential must be found before its tenant is known, and because a user
//! belongs to no tenant. A document of a tenant names the tenant, and every read compares it. Audit records go to the
//! scope of the action, in the same batch, which is therefore [`Batch::spanning`].

use std::sync::Arc;

use engines_core::{
    Batch, Code, DocId, Error, Result, Scope, Store, TenantId, Timestamp, UserId, hex,
    nexus::{
        CommitError, CommitReceipt, Document, DocumentKind, DocumentQuery, Expect, NewDocument, Page, PageRequest,
    },
    stream::LogId,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

pub(crate) const USER: DocumentKind = DocumentKind::from_static("identity_user");
/// Maps the keyed hash of an e-mail address to its accounts.
pub(crate) const EMAIL: DocumentKind = DocumentKind::from_static("identity_email");
/// Networks that a user has logged in from.
pub(crate) const KNOWN_NETWORKS: DocumentKind = DocumentKind::from_static("identity_known_networks");
pub(crate) const SESSION: DocumentKind = DocumentKind::from_static("identity_session");
pub(crate) const TENANT: DocumentKind = DocumentKind::from_static("identity_tenant");
pub(crate) const MEMBER: DocumentKind = DocumentKind::from_static("identity_member");
pub(crate) const INVITE: DocumentKind = DocumentKind::from_static("identity_invite");
/// A token that was mailed.
pub(crate) const MAIL_TOKEN: DocumentKind = DocumentKind::from_static("identity_mail_token");
pub(crate) const API_KEY: DocumentKind = DocumentKind::from_static("identity_api_key");
/// The time of the last use of an API key. It is separate from the key, so that a use does not conflict with a change
/// of the key.
pub(crate) const API_KEY_USE: DocumentKind = DocumentKind::from_static("identity_api_key_use");
pub(crate) const TICKET: DocumentKind = DocumentKind::from_static("identity_ticket");
/// Values that must stay as they were when the store was created.
pub(crate) const SETTING: DocumentKind = DocumentKind::from_static("identity_setting");

/// The number of attempts to write a document that others change at the same time.
pub(crate) const MAX_ATTEMPTS: usize = 8;

/// A body that is not read, for queries that only need ids.
#[derive(Debug, Deserialize)]
pub(crate) struct IgnoredBody {}

/// A stored body with its metadata.
#[derive(Debug, Clone)]
pub(crate) struct StoredDocument<T> {
    pub(crate) body: T,
    pub(crate) id: DocId,
    pub(crate) version: u64,
    pub(crate) created_at: Timestamp,
}

impl<T: DeserializeOwned> StoredDocument<T> {
    fn read(document: &Document) -> Result<Self> {
        Ok(Self {
            body: document.decode()?,
            id: document.id.clone(),
            version: document.version,
            created_at: document.created_at,
        })
    }
}

/// The documents of identity in a store.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
    system: Scope,
}

impl Records {
    /// Documents in one page of an internal read.
    const PAGE: usize = 200;

    /// The largest page that a caller gets.
    const MAX_PAGE: usize = 500;

    pub(crate) fn new(store: Arc<dyn Store>) -> Result<Self> {
        Ok(Self { store, system: Scope::system()? })
    }

    /// Returns the scope of the control plane.
    pub(crate) fn system(&self) -> &Scope {
        &self.system
    }

    /// Returns the id of the log in the store.
    pub(crate) fn log_id(&self) -> LogId {
        self.store.log_id()
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        kind: &DocumentKind,
        id: &DocId,
    ) -> Result<Option<StoredDocument<T>>> {
        let found = self.store.get(&self.system, kind, id).await?;
        found.as_ref().map(StoredDocument::read).transpose()
    }

    pub(crate) async fn page<T: DeserializeOwned>(
        &self,
        query: &DocumentQuery,
        page: PageRequest,
    ) -> Result<Page<StoredDocument<T>>> {
        let page = PageRequest { limit: page.limit.clamp(1, Self::MAX_PAGE), after: page.after };
        let found = self.store.query(&self.system, query, page).await?;
        let items = found.items.iter().map(StoredDocument::read).collect::<Result<_>>()?;
        Ok(Page { items, next: found.next })
    }

    /// Returns all documents that `query` finds, up to `limit`.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        query: &DocumentQuery,
        limit: usize,
    ) -> Result<Vec<StoredDocument<T>>> {
        let mut found = Vec::new();
        let mut page = PageRequest::first(limit.min(Self::PAGE));
        loop {
            let next: Page<StoredDocument<T>> = self.page(query, page).await?;
            found.extend(next.items);
            match next.next {
                Some(token) if found.len() < limit => {
                    page = PageRequest::after((limit - found.len()).min(Self::PAGE), token)
                }
                _ => return Ok(found),
            }
        }
    }

    /// Commits a batch like [`Records::commit`]. Returns false when a precondition failed, because of a concurrent
    /// change.
    pub(crate) async fn try_commit(&self, scope: &Scope, batch: Batch) -> Result<bool> {
        match self.commit(scope, batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Precondition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Commits a batch whose audit records go to `scope`.
    pub(crate) async fn commit(&self, scope: &Scope, batch: Batch) -> Result<CommitReceipt, CommitError> {
        self.store.commit(scope, batch).await
    }
}

/// Adds a document of the control plane to `batch`.
pub(crate) fn put(
    batch: Batch,
    kind: DocumentKind,
    id: impl Into<DocId>,
    tags: &[String],
    body: &impl Serialize,
    expect: Expect,
) -> Result<Batch> {
    let mut document = NewDocument::new(kind, id, body)?;
    document.tags = tags.to_vec();
    Ok(batch.put_system(document, expect))
}

/// Returns a user's id as part of a document id: the id itself if it is short and plain, as ours are, otherwise its
/// hash, because ids of other issuers may be e-mail addresses.
pub(crate) fn user_key(user: &UserId) -> String {
    let text = user.as_str();
    let plain = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if plain {
        return format!("u.{text}");
    }
    format!("h.{}", hex::encode(&Sha256::digest(text)))
}

pub(crate) fn user_id(user: &UserId) -> Result<DocId> {
    DocId::new(user_key(user))
}

pub(crate) fn tenant_id(tenant: &TenantId) -> Result<DocId> {
    DocId::new(tenant.as_str())
}

/// The id of a tenant has no colon, so two pairs never share an id.
pub(crate) fn member_id(tenant: &TenantId, user: &UserId) -> Result<DocId> {
    DocId::new(format!("{tenant}:{}", user_key(user)))
}

pub(crate) fn user_tag(user: &UserId) -> String {
    format!("user:{}", user_key(user))
}

/// The tag of memberships as owner, in addition to [`user_tag`].
pub(crate) fn owner_tag(user: &UserId) -> String {
    format!("owner:{}", user_key(user))
}

/// The tag of invites for a user.
pub(crate) fn invitee_tag(user: &UserId) -> String {
    format!("invitee:{}", user_key(user))
}

/// The tag of invites for an address, by its keyed hash.
pub(crate) fn invited_address_tag(key: &str) -> String {
    format!("invited_address:{key}")
}

pub(crate) fn tenant_tag(tenant: &TenantId) -> String {
    format!("tenant:{tenant}")
}

/// Runs `attempt` until it returns a result. `None` means that a concurrent change interfered; the next attempt reads
/// the documents again.
///
/// # Errors
/// Errors of `attempt`; `VERSION_MISMATCH` after [`MAX_ATTEMPTS`].
pub(crate) async fn retry_on_conflict<T, F>(operation: &'static str, attempt: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    for _ in 0..MAX_ATTEMPTS {
        if let Some(result) = attempt().await? {
            return Ok(result);
        }
    }
    Err(conflict_error(operation))
}

/// The error after the last attempt to change a document that others change at the same time.
pub(crate) fn conflict_error(operation: &'static str) -> Error {
    Error::new(Code::VersionMismatch, operation, "concurrent changes keep interfering; read it again and retry")
}
