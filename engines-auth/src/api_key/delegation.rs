//! Keys made with keys: never wider, longer or more lasting than the key they were made with.

use std::sync::Arc;

use engines_core::{Code, Error, RequestContext, Result, Timestamp, nexus::DocumentQuery};
use ulid::Ulid;

use super::{api_key_id, service::MANAGE};
use crate::identity::{
    ApiKeyBody, Inner,
    records::{API_KEY, StoredDocument, tenant_tag},
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

    /// The key by which the context acts, which is then the parent of what it makes.
    ///
    /// # Errors
    /// `OP_INVALID` when that key has [`MAX_ANCESTORS`] already.
    pub(super) async fn parent_key(&self, context: &RequestContext) -> Result<Option<Ulid>> {
        let Some(id) = api_key_id(&context.actor().id) else { return Ok(None) };
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
