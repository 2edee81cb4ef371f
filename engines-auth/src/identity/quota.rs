//! How additions to something that is counted notice each other.
//!
//! Who adds waits for its turn, reserves, counts, and commits the addition together with the reservation. Turns order the
//! additions of one process. The reservation is a document whose version every addition changes, so that the additions of
//! another node are noticed as well.

use engines_core::{
    Batch, DocId, Result, TenantId, UserId,
    nexus::{DocumentKind, Expect},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use super::{
    records::{self, Records},
    service::Inner,
};

/// Written with whatever counts against a quota. Its version alone counts.
pub(super) const QUOTA: DocumentKind = DocumentKind::from_static("identity_quota");

/// Locks that owners of a quota share by the hash of their names: enough that two owners rarely wait for each other.
const SHARDS: usize = 256;

/// What its owner has a limited number of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Quota<'a> {
    ApiKeys(&'a TenantId),
    Invites(&'a TenantId),
    /// Tickets of an actor. Actors share documents by the hash of their ids, so that none has to be deleted with its actor.
    Tickets(&'a UserId),
}

/// The locks behind turns. Correctness does not rest on them; they spare additions of one process the repetition.
#[derive(Debug)]
pub(crate) struct QuotaTurns {
    locks: [Mutex<()>; SHARDS],
}

/// The right to add to a quota before others in this process, until it is dropped.
pub(crate) struct QuotaTurn<'a> {
    records: &'a Records,
    id: DocId,
    tenant: Option<TenantId>,
    _lock: MutexGuard<'a, ()>,
}

/// The right to count, which is lost if somebody else commits an addition.
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

    /// No two quotas have one id: what follows the colon differs.
    fn document_id(&self) -> Result<DocId> {
        DocId::new(match self {
            Self::ApiKeys(tenant) => format!("{tenant}:api_keys"),
            Self::Invites(tenant) => format!("{tenant}:invites"),
            Self::Tickets(actor) => format!("tickets:{:02x}", shard(actor.as_str())),
        })
    }
}

impl Inner {
    /// Waits until nobody else in this process adds to the quota.
    pub(crate) async fn quota_turn(&self, quota: Quota<'_>) -> Result<QuotaTurn<'_>> {
        let id = quota.document_id()?;
        let lock = self.quota_turns.locks[usize::from(shard(quota.owner()))].lock().await;
        Ok(QuotaTurn { records: &self.records, id, tenant: quota.tenant().cloned(), _lock: lock })
    }
}

impl QuotaTurn<'_> {
    /// Call before counting. The batch that adds to what was counted takes the reservation with it.
    pub(crate) async fn reserve(&self) -> Result<QuotaReservation> {
        let found = self.records.get::<QuotaBody>(&QUOTA, &self.id).await?;
        let expect = found.map_or(Expect::Absent, |found| Expect::Version(found.version));
        Ok(QuotaReservation { id: self.id.clone(), tenant: self.tenant.clone(), expect })
    }
}

impl QuotaReservation {
    /// Makes `batch` fail with a precondition if anybody else has added to the quota since.
    pub(crate) fn add_to(self, batch: Batch) -> Result<Batch> {
        let tags: Vec<String> = self.tenant.iter().map(records::tenant_tag).collect();
        records::put(batch, QUOTA, self.id, &tags, &QuotaBody { tenant_id: self.tenant }, self.expect)
    }
}

/// The shard of an owner, the same on all nodes.
fn shard(owner: &str) -> u8 {
    let digest: [u8; 32] = Sha256::digest(owner.as_bytes()).into();
    digest[0]
}
