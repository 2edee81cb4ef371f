//! What a key may do with keys: it manages itself and the keys made with it, and those never have more rights than it has,
//! nor outlast it.

use std::sync::Arc;

use engines_core::{Code, DocId, Error, RequestContext, Result, TenantId, Timestamp, nexus::DocumentQuery};
use ulid::Ulid;

use super::{api_key_id, service::MANAGE};
use crate::{
    identity::{
        ApiKeyBody, Inner,
        records::{API_KEY, StoredDocument, tenant_tag},
    },
    jwt::invalid_token,
};

/// How many keys a key may descend from. Each is looked up, through a cache, with every use.
pub(super) const MAX_ANCESTORS: usize = 4;

impl Inner {
    /// The key of this id, if it and every key it descends from exist and have not expired.
    pub(crate) async fn usable_api_key(&self, id: Ulid) -> Result<Option<Arc<ApiKeyBody>>> {
        let now = self.now();
        let Some(key) = self.cache.api_key(&self.records, id).await? else { return Ok(None) };
        let mut last = Arc::clone(&key);
        for _ in 0..=MAX_ANCESTORS {
            if last.expires_at.is_some_and(|end| now >= end) {
                return Ok(None);
            }
            let Some(parent) = last.parent else { return Ok(Some(key)) };
            match self.cache.api_key(&self.records, parent).await? {
                Some(parent) if parent.tenant_id == key.tenant_id => last = parent,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether a key of this tenant, and every key it descends from, is good now.
    pub(crate) async fn is_key_usable(&self, tenant: &TenantId, id: Ulid) -> Result<bool> {
        Ok(self.usable_api_key(id).await?.is_some_and(|key| key.tenant_id == *tenant))
    }

    /// The key by which the context acts, if it may hand out rights now: what it makes lasts as long as the key. A secret
    /// that was replaced may not, although it is good until its grace ends, because what it made would outlast it. The key is
    /// read from the store, because the cache may not know of a rotation or revocation by another node yet.
    ///
    /// # Errors
    /// `TOKEN_INVALID` for a key that has ended and for a replaced secret.
    pub(crate) async fn granting_key(&self, context: &RequestContext) -> Result<Option<Ulid>> {
        let Some(id) = api_key_id(&context.actor().id) else { return Ok(None) };
        let ended = || invalid_token("the API key has been revoked or has expired");
        let key = self.records.get::<ApiKeyBody>(&API_KEY, &DocId::from(id)).await?.ok_or_else(ended)?;
        let presented = context.session().and_then(|rotation| rotation.parse().ok());
        if presented != Some(key.body.rotation) {
            return Err(invalid_token("this secret of the API key has been replaced; use the new one for this"));
        }
        match self.usable_api_key(id).await? {
            Some(_) => Ok(Some(id)),
            None => Err(ended()),
        }
    }

    /// Refuses a context that acts by a key another key than that one and its descendants.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT`.
    pub(super) async fn check_key_reach(&self, context: &RequestContext, id: Ulid, key: &ApiKeyBody) -> Result<()> {
        let Some(acting) = api_key_id(&context.actor().id) else { return Ok(()) };
        let (mut next, mut parent) = (Some(id), key.parent);
        for _ in 0..=MAX_ANCESTORS {
            match next {
                Some(id) if id == acting => return Ok(()),
                Some(_) => next = parent,
                None => break,
            }
            parent = match next {
                Some(id) => {
                    let found = self.records.get::<ApiKeyBody>(&API_KEY, &DocId::from(id)).await?;
                    found.and_then(|key| key.body.parent)
                }
                None => None,
            };
        }
        let detail =
            "a key rotates and revokes itself and the keys made with it alone; use a person's token for others";
        Err(self.refusal(Code::RoleInsufficient, MANAGE, detail).with_member("action", MANAGE))
    }

    /// The key by which the context acts, which is then the parent of what it makes.
    ///
    /// # Errors
    /// `OP_INVALID` when that key has [`MAX_ANCESTORS`] already; `TOKEN_INVALID` as for [`Inner::granting_key`].
    pub(super) async fn parent_key(&self, context: &RequestContext) -> Result<Option<Ulid>> {
        let Some(id) = self.granting_key(context).await? else { return Ok(None) };
        let (mut ancestors, mut next) = (0, Some(id));
        while let Some(id) = next {
            ancestors += 1;
            if ancestors > MAX_ANCESTORS {
                let detail = "a key descends from at most 4 others; make this one with an older key or as a person";
                return Err(Error::new(Code::OpInvalid, MANAGE, detail));
            }
            next = self.cache.api_key(&self.records, id).await?.and_then(|key| key.parent);
        }
        Ok(Some(id))
    }

    /// The keys of the tenant that descend from this one.
    pub(super) async fn descendants(
        &self,
        context: &RequestContext,
        id: Ulid,
    ) -> Result<Vec<StoredDocument<ApiKeyBody>>> {
        let query = DocumentQuery::of_kind(API_KEY).tag(tenant_tag(context.scope().tenant()));
        let mut rest = self.records.all::<ApiKeyBody>(&query, self.settings.api_keys_per_tenant).await?;
        let (mut parents, mut found) = (vec![id], Vec::new());
        while let Some(parent) = parents.pop() {
            let (children, others) = rest.into_iter().partition(|key| key.body.parent == Some(parent));
            rest = others;
            let children: Vec<StoredDocument<ApiKeyBody>> = children;
            parents.extend(children.iter().filter_map(|key| Ulid::from_string(key.id.as_str()).ok()));
            found.extend(children);
        }
        Ok(found)
    }
}

/// When a key ends that was asked to end at `wanted`: not after the credential it is made with, if that is a key itself.
///
/// # Errors
/// `BODY_INVALID` for a later end than that.
pub(super) fn limit_expiry(
    context: &RequestContext,
    wanted: Option<Timestamp>,
    field: &str,
) -> Result<Option<Timestamp>> {
    match (context.expires_at().filter(|_| api_key_id(&context.actor().id).is_some()), wanted) {
        (Some(end), Some(wanted)) if wanted > end => {
            Err(Error::invalid_body(MANAGE, field, "a key that is made with a key ends no later than that one"))
        }
        (Some(end), None) => Ok(Some(end)),
        (_, wanted) => Ok(wanted),
    }
}
