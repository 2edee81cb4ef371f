//! Quotas: concurrent additions to objects that are counted.
//!
//! A caller that adds an object waits for its turn, reserves, counts, and commits the addition together with the
//! reservation. Turns serialise the additions of one process. The reservation is a document whose version every
//! addition changes, so that additions of other nodes conflict.

use engines_core::{
    Batch, DocId, Result, TenantId, UserId,
    nexus::{DocumentKind, Expect},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use super::records::{self, Records};

/// Written together with everything that counts against a quota. Only its version is used.
pub(super) const QUOTA: DocumentKind = DocumentKind::from_static("identity_quota");

/// The number of locks. Owners of a quota share them by the hash of their names. This many make it rare that two owners
/// wait for each other.
const SHARDS: usize = 256;

/// A kind of object whose number is limited, with its owner.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Quota<'a> {
    ApiKeys(&'a TenantId),
    Invites(&'a TenantId),
    /// Tickets of an actor. Actors share documents by the hash of their ids, so that no document has to be deleted with
    /// its actor.
    Tickets(&'a UserId),
}

/// The locks of turns. Correctness does not depend on them: they prevent that additions of one process conflict.
#[derive(Debug)]
pub(crate) struct QuotaTurns {
    locks: [Mutex<()>; SHARDS],
}

/// The turn of a caller. Until it is dropped, no other caller in this process adds to the quota.
pub(crate) struct QuotaTurn<'a> {
    records: &'a Records,
    id: DocId,
    tenant: Option<TenantId>,
    _lock: MutexGuard<'a, ()>,
}

/// A reservation to add one object. The commit fails if another object was added since.
#[derive(Debug)]
pub(crate) struct QuotaReservation {
    id: DocId,
    tenant: Option<TenantId>,
    expect: Expect,
}

/// The body of a [`QUOTA`] document.
#[derive(Debug, Serialize, Deserialize)]
struct QuotaBody {
    /// The tenant with which the document is deleted, if the quota is a tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
}

impl Default for QuotaTurns {
    fn default() -> Self {
        Self { locks: std::array::from_fn(|_| Mutex::new(())) }
    }
}

impl Quota<'_> {
    fn owner(&self) -> &str {
        match self {
            Self::ApiKeys(tenant) | Self::Invites(tenant) => tenant.as_str(),
            Self::Tickets(actor) => actor.as_str(),
        }
    }

    fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::ApiKeys(tenant) | Self::Invites(tenant) => Some(tenant),
            Self::Tickets(_) => None,
        }
    }

    /// Returns the id of the document. The part after the colon differs between the kinds, so no two quotas share an
    /// id.
    fn document_id(&self) -> Result<DocId> {
        DocId::new(match self {
            Self::ApiKeys(tenant) => format!("{tenant}:api_keys"),
            Self::Invites(tenant) => format!("{tenant}:invites"),
            Self::Tickets(actor) => format!("tickets:{:02x}", shard(actor.as_str())),
        })
    }
}

impl QuotaTurns {
    /// Waits until no other caller in this process adds to the quota.
    pub(super) async fn take<'a>(&'a self, records: &'a Records, quota: Quota<'_>) -> Result<QuotaTurn<'a>> {
        let id = quota.document_id()?;
        let lock = self.locks[usize::from(shard(quota.owner()))].lock().await;
        Ok(QuotaTurn { records, id, tenant: quota.tenant().cloned(), _lock: lock })
    }
}

impl QuotaTurn<'_> {
    /// Creates a reservation. Call it before counting, and add it to the batch that adds to what was counted.
    pub(crate) async fn reserve(&self) -> Result<QuotaReservation> {
        let found = self.records.get::<QuotaBody>(&QUOTA, &self.id).await?;
        let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        Ok(QuotaReservation { id: self.id.clone(), tenant: self.tenant.clone(), expect })
    }
}

impl QuotaReservation {
    /// Makes `batch` fail with a precondition if something else was added to the quota since.
    pub(crate) fn add_to(self, batch: Batch) -> Result<Batch> {
        let tags: Vec<String> = self.tenant.iter().map(records::tenant_tag).collect();
        records::put(batch, QUOTA, self.id, &tags, &QuotaBody { tenant_id: self.tenant }, self.expect)
    }
}

/// Returns the shard of an owner. It is the same on all nodes.
fn shard(owner: &str) -> u8 {
    let digest: [u8; 32] = Sha256::digest(owner.as_bytes()).into();
    digest[0]
}
