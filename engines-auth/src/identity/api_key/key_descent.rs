//! What an API key may do with keys: it manages itself and the keys created with it. Those never have more rights than
//! their parent and never outlive it.

use std::sync::Arc;

use engines_core::{Code, DocId, Error, RequestContext, Result, TenantId, Timestamp, nexus::DocumentQuery};
use ulid::Ulid;

use super::token::MANAGE;
use crate::{
    identity::{
        actor::api_key_id,
        documents::ApiKeyBody,
        records::{API_KEY, StoredDocument, tenant_tag},
        state::IdentityState,
    },
    jwt::invalid_token,
};

/// The number of keys that a key may descend from. Each of them is looked up, through a cache, at every use.
pub(super) const MAX_ANCESTORS: usize = 4;

impl IdentityState {
    /// Returns the key with this id, if it and all keys it descends from exist and have not expired.
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

    /// Returns whether a key of this tenant, and every key it descends from, is valid now.
    pub(crate) async fn is_key_usable(&self, tenant: &TenantId, id: Ulid) -> Result<bool> {
        Ok(self.usable_api_key(id).await?.is_some_and(|key| key.tenant_id == *tenant))
    }

    /// Returns the key by which the context acts, if that key may grant rights now. What a key creates lasts as long as
    /// the key. A replaced secret grants nothing, although it stays valid until its grace ends, because what it created
    /// would outlive it. The key is read from the store, because the cache may not know yet of a rotation or revocation
    /// on another node.
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

    /// Checks that a context which acts by a key manages only that key and its descendants.
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
            "an API key can rotate and revoke only itself and the keys created with it; use the token of a person";
        Err(self.refusal(Code::RoleInsufficient, MANAGE, detail).with_member("action", MANAGE))
    }

    /// Returns the key by which the context acts. It becomes the parent of the key that is created.
    ///
    /// # Errors
    /// `OP_INVALID` when that key already has [`MAX_ANCESTORS`]; `TOKEN_INVALID` as for `granting_key`.
    pub(super) async fn parent_key(&self, context: &RequestContext) -> Result<Option<Ulid>> {
        let Some(id) = self.granting_key(context).await? else { return Ok(None) };
        let (mut ancestors, mut next) = (0, Some(id));
        while let Some(id) = next {
            ancestors += 1;
            if ancestors > MAX_ANCESTORS {
                let detail = "a key descends from at most 4 others; create this one with an older key or as a person";
                return Err(Error::new(Code::OpInvalid, MANAGE, detail));
            }
            next = self.cache.api_key(&self.records, id).await?.and_then(|key| key.parent);
        }
        Ok(Some(id))
    }

    /// Returns the keys of the tenant that descend from this one.
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

/// Returns when a new key expires, given the requested time. A key that is created with a key expires no later than
/// that one.
///
/// # Errors
/// `BODY_INVALID` when the requested time is later.
pub(super) fn limit_expiry(
    context: &RequestContext,
    wanted: Option<Timestamp>,
    field: &str,
) -> Result<Option<Timestamp>> {
    match (context.expires_at().filter(|_| api_key_id(&context.actor().id).is_some()), wanted) {
        (Some(end), Some(wanted)) if wanted > end => {
            Err(Error::invalid_body(MANAGE, field, "a key expires no later than the key that it is created with"))
        }
        (Some(end), None) => Ok(Some(end)),
        (_, wanted) => Ok(wanted),
    }
}
