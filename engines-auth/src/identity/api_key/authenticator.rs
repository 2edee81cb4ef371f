//! Authentication by API key.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engines_core::{
    Actor, Batch, Code, DocId, Error, Principal, Result, ScopeRestriction, Timestamp, UserId, nexus::Expect,
};
use ulid::Ulid;

use super::{service::ApiKeys, token::API_KEY_TOKEN};
use crate::{
    authenticator::{Authenticator, Credential},
    identity::{
        actor::{API_KEY_PREFIX, ISSUER},
        documents::{ApiKeyBody, ApiKeyUseBody},
        records::{self, API_KEY_USE},
    },
    jwt::invalid_token,
};

#[async_trait]
impl Authenticator for ApiKeys {
    /// Takes bearer credentials that begin with `ek_`. The key is looked up through a cache with a short lifetime.
    async fn authenticate(&self, credential: &Credential<'_>) -> Result<Option<Arc<Principal>>> {
        let Credential::Bearer(text) = credential else { return Ok(None) };
        if !API_KEY_TOKEN.is_prefix_of(text) {
            return Ok(None);
        }
        let wrong = || invalid_token("the API key is unknown or has been revoked");
        let id = API_KEY_TOKEN.id(text).ok_or_else(wrong)?;
        let state = &*self.identity.state;
        let now = state.now();
        let key = state.cache.api_key(&state.records, id).await?.ok_or_else(wrong)?;
        let rotation = key.rotation_of(text, now).ok_or_else(wrong)?;
        if key.expires_at.is_some_and(|end| now >= end) {
            return Err(Error::new(Code::TokenExpired, "auth.api_key", "the API key has expired; create a new one"));
        }
        state.usable_api_key(id).await?.ok_or_else(wrong)?;
        self.record_use(id, now).await;
        principal(id, &key, rotation).map(|principal| Some(Arc::new(principal)))
    }
}

/// Builds the principal of a key. The key is valid in one tenant only, whatever else its creator may access.
fn principal(id: Ulid, key: &ApiKeyBody, rotation: u32) -> Result<Principal> {
    let actor = Actor { id: UserId::new(format!("{API_KEY_PREFIX}{id}"))?, kind: key.actor_type };
    let mut principal = Principal::assume_verified(actor, ISSUER);
    principal.memberships.insert(key.tenant_id.clone(), key.role);
    principal.default_tenant = Some(key.tenant_id.clone());
    principal.restriction = Some(ScopeRestriction { tenant: key.tenant_id.clone(), env: None });
    principal.expires_at = key.expires_at;
    principal.credential_id = Some(id.to_string().into());
    // A rotation ends the streams that were opened with the old secret, so the session is the number of the rotation.
    principal.session = Some(rotation.to_string().into());
    Ok(principal)
}

impl ApiKeys {
    /// Records the use of a key, at most once in `api_key_use_every_s`. A failed write is only logged, because a later
    /// use writes again.
    async fn record_use(&self, id: Ulid, now: Timestamp) {
        let state = &*self.identity.state;
        let every = Duration::from_secs(state.settings.api_key_use_every_s);
        let due = state.last_uses.get(&id).is_none_or(|last| last > now || now.since(last) >= every);
        if !due {
            return;
        }
        // Set before the write, so that many requests at the same time write once.
        state.last_uses.insert(id, now);
        let body = ApiKeyUseBody { last_used_at: now };
        let batch = records::put(Batch::spanning(now), API_KEY_USE, DocId::from(id), &[], &body, Expect::Any);
        let Ok(batch) = batch else { return };
        if let Err(error) = state.records.commit(state.records.system(), batch).await {
            tracing::warn!(%error, "the last use of an API key could not be recorded");
        }
    }
}
