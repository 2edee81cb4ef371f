//! Users of other issuers, kept in the store.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use engines_core::{
    Batch, Clock, Code, DocId, Error, IdGenerator, RequestContext, Result, Role, Scope, Store, TenantId, UserId,
    audit::{AuditEntry, Outcome},
    nexus::{CommitError, Document, Expect, Kind, NewDocument},
};
use serde::{Deserialize, Serialize};

use super::{ExternalIdentity, ExternalUser, ExternalUsers};
use crate::jwt::invalid;

/// The family of documents, in the control plane's scope.
const EXTERNAL_USER: Kind = Kind::known("external_user");

const MEET: &str = "external_users.meet";

/// How often is tried again who met another node that met the same stranger.
const TRIES: usize = 8;

/// Keeps the users of other issuers, and gives whom no rule gives a tenant one of their own, as its owner.
///
/// A user's id is `sub`. It belongs to the issuer that was first to vouch for it; another one's token with the same `sub` is refused. The
/// tenant's id is made of what stands before the `@` of the address, if there is one, and a random part, so nobody gets one that means
/// something elsewhere. All that is known of a user is one document, written once: however many nodes meet a stranger at the same time,
/// there is one tenant.
#[derive(Clone)]
pub struct StoreUsers {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
    system: Scope,
}

#[derive(Serialize, Deserialize)]
struct Body {
    issuer: String,
    user_id: UserId,
    /// The tenant of one's own, once there is one.
    tenant_id: Option<TenantId>,
}

impl StoreUsers {
    /// Users kept in `store`.
    ///
    /// # Errors
    /// Never in practice; see [`Scope::system`].
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: IdGenerator) -> Result<Self> {
        Ok(Self { store, clock, ids, system: Scope::system()? })
    }

    /// Writes what becomes of `known`; `None` when somebody else was quicker.
    async fn write(&self, known: Option<&Document>, id: &DocId, body: &Body) -> Result<Option<()>> {
        let now = self.clock.now();
        let context = RequestContext::system(self.system.clone(), MEET, &*self.clock, &self.ids)?;
        let tenant = body.tenant_id.as_ref().map_or_else(String::new, |tenant| format!("tenants/{tenant}"));
        let audit = AuditEntry::new(self.ids.ulid(now), now, &context, MEET, tenant, Outcome::Done);
        let expect = known.map_or(Expect::Absent, |known| Expect::Version(known.version));
        let document = NewDocument::new(EXTERNAL_USER, id.clone(), body)?;
        match self.store.commit(&self.system, Batch::new(now).put(document, expect).audit(audit)).await {
            Ok(_) => Ok(Some(())),
            Err(CommitError::Precondition { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// `t_<the address's first part>-<13 random characters>`.
    fn fresh_tenant(&self, email: Option<&str>) -> Result<TenantId> {
        let local = email.and_then(|email| email.split_once('@')).map_or("", |(local, _)| local);
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' };
        let words: String = local.chars().take(40).map(plain).collect();
        let slug = words.split_ascii_whitespace().collect::<Vec<_>>().join("-");
        let random = self.ids.ulid(self.clock.now()).to_string().to_ascii_lowercase();
        // The last 13 of 26: all random, none of the time.
        let random = &random[13..];
        TenantId::new(if slug.is_empty() { format!("t_{random}") } else { format!("t_{slug}-{random}") })
    }
}

#[async_trait]
impl ExternalUsers for StoreUsers {
    async fn user(&self, identity: &ExternalIdentity<'_>) -> Result<ExternalUser> {
        let hash = digest(&SHA256, identity.sub.as_str().as_bytes());
        let id = DocId::new(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())?;
        for _ in 0..TRIES {
            let known = self.store.get(&self.system, &EXTERNAL_USER, &id).await?;
            let mut body = match &known {
                Some(known) => known.decode()?,
                None => Body { issuer: identity.issuer.to_owned(), user_id: identity.sub.clone(), tenant_id: None },
            };
            if body.issuer != identity.issuer {
                return Err(invalid("another issuer has a user of this name here"));
            }
            let wants_tenant = body.tenant_id.is_none() && identity.mapped.is_empty();
            if known.is_some() && !wants_tenant {
                return Ok(met(body));
            }
            if wants_tenant {
                body.tenant_id = Some(self.fresh_tenant(identity.email)?);
            }
            if self.write(known.as_ref(), &id, &body).await?.is_some() {
                return Ok(met(body));
            }
        }
        Err(Error::new(Code::BackendUnavailable, MEET, "too many meet this user at the same time; retry"))
    }
}

fn met(body: Body) -> ExternalUser {
    let memberships = body.tenant_id.iter().map(|tenant| (tenant.clone(), Role::Owner)).collect::<BTreeMap<_, _>>();
    ExternalUser { id: body.user_id, memberships, default_tenant: body.tenant_id }
}

impl fmt::Debug for StoreUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreUsers")
    }
}
