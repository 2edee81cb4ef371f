//! Creation, listing, rotation and revocation of keys.

use std::{fmt, time::Duration};

use engines_core::{
    Action, ActorType, Batch, Code, DocId, Error, RequestContext, Result, Role, Timestamp,
    nexus::{DocumentQuery, Expect, Page, PageRequest},
};
use ulid::Ulid;

use super::{
    key_descent::limit_expiry,
    token::{API_KEY_TOKEN, MANAGE},
    wire::{ApiKeyCreated, ApiKeyRequest, ApiKeyView, RotateRequest},
};
use crate::{
    identity::{
        display_name::validate_name,
        documents::{ApiKeyBody, ApiKeyUseBody},
        quota::Quota,
        records::{self, API_KEY, API_KEY_USE, StoredDocument},
        service::Identity,
    },
    revocation::Revocation,
};

/// The service for API keys. A key belongs to a tenant, is valid in all of its environments, and has its own role.
///
/// It is also the [`Authenticator`](crate::Authenticator) for keys. Cheap to clone.
#[derive(Clone)]
pub struct ApiKeys {
    pub(super) identity: Identity,
}

impl ApiKeys {
    pub(in crate::identity) fn new(identity: Identity) -> Self {
        Self { identity }
    }

    /// Creates a key for the context's tenant. The response is the only place that holds the secret.
    ///
    /// # Errors
    /// `BODY_INVALID`, also for an expiry after that of the parent key; `ROLE_INSUFFICIENT` below admin, and for a role
    /// above the caller's; `QUOTA_EXCEEDED`; `OP_INVALID` when the key would descend from too many keys;
    /// `TOKEN_INVALID` with a replaced secret.
    pub async fn create(&self, context: &RequestContext, request: ApiKeyRequest) -> Result<ApiKeyCreated> {
        let state = &*self.identity.state;
        let permit = state.guard.admit(context, Action::ApiKeysManage, "api-keys").await?;
        let name = validate_name(MANAGE, "/name", &request.name)?;
        self.check_role_within(context, request.role)?;
        let actor_type = request.actor_type.unwrap_or(ActorType::Agent);
        if actor_type == ActorType::System {
            return Err(Error::invalid_body(MANAGE, "/actor_type", "a key acts for a human or an agent"));
        }
        let now = state.now();
        let from_now = request.expires_in.map(|seconds| now.plus(Duration::from_secs(seconds)));
        let expires_at = request.expires_at.or(from_now);
        let field = if request.expires_at.is_some() { "/expires_at" } else { "/expires_in" };
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid_body(MANAGE, field, "the expiry is in the past"));
        }
        let expires_at = limit_expiry(context, expires_at, field)?;
        let parent = state.parent_key(context).await?;
        let tag = records::tenant_tag(context.scope().tenant());
        let id = state.guard.ids().ulid(now);
        let (key, hash) = API_KEY_TOKEN.mint(id, state.guard.ids());
        let body = ApiKeyBody {
            tenant_id: context.scope().tenant().clone(),
            name,
            role: request.role,
            actor_type,
            hash,
            rotation: 0,
            previous: None,
            created_by: context.actor().id.clone(),
            parent,
            expires_at,
        };
        let most = state.settings.api_keys_per_tenant;
        let query = DocumentQuery::of_kind(API_KEY).tag(tag.clone());
        let audit = permit.audit_entry(&state.guard, context, format!("api-keys/{id}"));
        let batch = Batch::spanning(now).audit(audit);
        let batch = records::put(batch, API_KEY, id, &[tag], &body, Expect::Absent)?;
        let turn = state.quota_turn(Quota::ApiKeys(context.scope().tenant())).await?;
        records::retry_on_conflict(MANAGE, || async {
            let reservation = turn.reserve().await?;
            if state.records.all::<ApiKeyBody>(&query, most).await?.len() >= most {
                return Err(state.refusal(
                    Code::QuotaExceeded,
                    MANAGE,
                    "the tenant has the largest number of API keys allowed; revoke some",
                ));
            }
            // False if another node has created a key in the meantime.
            if !state.records.try_commit(context.scope(), reservation.add_to(batch.clone())?).await? {
                return Ok(None);
            }
            state.cache.api_keys.invalidate(&id);
            Ok(Some(()))
        })
        .await?;
        Ok(ApiKeyCreated { key, view: to_view(id.to_string(), body, now, None) })
    }

    /// Lists the tenant's keys, the oldest first, without their secrets.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` below admin; `CURSOR_INVALID`.
    pub async fn list(&self, context: &RequestContext, page: PageRequest) -> Result<Page<ApiKeyView>> {
        let state = &*self.identity.state;
        let _permit = state.guard.admit(context, Action::ApiKeysList, "api-keys").await?;
        let query = DocumentQuery::of_kind(API_KEY).tag(records::tenant_tag(context.scope().tenant()));
        let found = state.records.page::<ApiKeyBody>(&query, page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for key in found.items {
            let used = state.records.get::<ApiKeyUseBody>(&API_KEY_USE, &key.id).await?;
            let used = used.map(|used| used.body.last_used_at);
            items.push(to_view(key.id.to_string(), key.body, key.created_at, used));
        }
        Ok(Page { items, next: found.next })
    }

    /// Replaces the secret of a key. The old secret is refused, and streams opened with it are closed, after the grace
    /// that the request asks for, or at once without a grace. The expiry of the key does not change.
    ///
    /// # Errors
    /// `NOT_FOUND`; `BODY_INVALID` for a grace that is too long; `ROLE_INSUFFICIENT` below admin, for a key with a role
    /// above the caller's, and, when called with a key, for any other key than itself and those created with it;
    /// `TOKEN_INVALID` with a replaced secret.
    pub async fn rotate(
        &self,
        context: &RequestContext,
        key_id: &str,
        request: RotateRequest,
    ) -> Result<ApiKeyCreated> {
        let state = &*self.identity.state;
        let permit = state.guard.admit(context, Action::ApiKeysManage, "api-keys").await?;
        if request.grace > state.settings.api_key_grace_max_s {
            let detail =
                format!("a replaced secret stays valid for at most {} seconds", state.settings.api_key_grace_max_s);
            return Err(Error::invalid_body(MANAGE, "/grace", detail));
        }
        let (id, found) = self.find(context, key_id).await?;
        self.check_role_within(context, found.body.role)?;
        state.check_key_reach(context, id, &found.body).await?;
        state.granting_key(context).await?;
        let now = state.now();
        let (key, hash) = API_KEY_TOKEN.mint(id, state.guard.ids());
        let until = now.plus(Duration::from_secs(request.grace));
        let previous = (request.grace > 0).then(|| (found.body.hash.clone(), until));
        let rotation = found.body.rotation.saturating_add(1);
        let body = ApiKeyBody { hash, rotation, previous, ..found.body };
        let tags = [records::tenant_tag(&body.tenant_id)];
        let batch = Batch::spanning(now).audit(permit.audit_entry(&state.guard, context, format!("api-keys/{id}")));
        let batch = records::put(batch, API_KEY, id, &tags, &body, Expect::Version(found.version))?;
        state.records.commit(context.scope(), batch).await?;
        state.publish_revocation(Revocation::ApiKey(id.to_string()));
        Ok(ApiKeyCreated { key, view: to_view(id.to_string(), body, found.created_at, None) })
    }

    /// Revokes a key and all keys that were created with it, and closes the streams opened with them. It takes effect
    /// at once on this node and within 5 s on other nodes.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` below admin, for a key with a role above the caller's, and, when called with a
    /// key, for any other key than itself and those created with it.
    pub async fn revoke(&self, context: &RequestContext, key_id: &str) -> Result<()> {
        let state = &*self.identity.state;
        let permit = state.guard.admit_release(context, Action::ApiKeysManage)?;
        let (id, found) = self.find(context, key_id).await?;
        self.check_role_within(context, found.body.role)?;
        state.check_key_reach(context, id, &found.body).await?;
        let batch =
            Batch::spanning(state.now()).audit(permit.audit_entry(&state.guard, context, format!("api-keys/{id}")));
        let descendants = state.descendants(context, id).await?;
        let mut batch = batch.delete_system(API_KEY, found.id.clone(), Expect::Version(found.version));
        batch = batch.delete_system(API_KEY_USE, found.id, Expect::Any);
        for key in &descendants {
            batch = batch.delete_system(API_KEY, key.id.clone(), Expect::Any);
            batch = batch.delete_system(API_KEY_USE, key.id.clone(), Expect::Any);
        }
        state.records.commit(context.scope(), batch).await?;
        state.publish_revocation(Revocation::ApiKey(id.to_string()));
        for key in descendants {
            state.publish_revocation(Revocation::ApiKey(key.id.to_string()));
        }
        Ok(())
    }

    /// Finds a key of the context's tenant. A key of another tenant is `NOT_FOUND`.
    async fn find(&self, context: &RequestContext, key_id: &str) -> Result<(Ulid, StoredDocument<ApiKeyBody>)> {
        let missing = || Error::not_found(MANAGE, "API key");
        let id = Ulid::from_string(key_id).map_err(|_| missing())?;
        let found = self.identity.state.records.get::<ApiKeyBody>(&API_KEY, &DocId::from(id)).await?;
        let found = found.filter(|found| found.body.tenant_id == *context.scope().tenant());
        Ok((id, found.ok_or_else(missing)?))
    }

    /// Checks that a role is not above the caller's, so that no caller creates or takes over a key with more rights
    /// than their own.
    fn check_role_within(&self, context: &RequestContext, role: Role) -> Result<()> {
        if role <= context.role() {
            return Ok(());
        }
        let error = Error::new(Code::RoleInsufficient, MANAGE, "the key's role is above your own");
        let error = error.with_member("action", MANAGE).with_member("least_role", role.as_str());
        Err(self.identity.state.with_decision_id(error))
    }
}

fn to_view(key_id: String, key: ApiKeyBody, created_at: Timestamp, last_used_at: Option<Timestamp>) -> ApiKeyView {
    ApiKeyView {
        key_id,
        name: key.name,
        role: key.role,
        actor_type: key.actor_type,
        created_by: key.created_by,
        parent_key_id: key.parent.map(|parent| parent.to_string()),
        created_at,
        expires_at: key.expires_at,
        last_used_at,
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys")
    }
}
