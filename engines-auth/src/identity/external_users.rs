//! Users of other issuers as users of the store, so that they can be disabled, invited, made members and removed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use engines_core::{Batch, Error, Result, nexus::Expect};

use super::{
    directory_cache::Membership,
    documents::UserBody,
    email_address::EmailAddress,
    records::{self, MAX_ATTEMPTS, StoredDocument, USER},
    service::Identity,
    state::IdentityState,
};
use crate::{
    jwt::invalid_token,
    oidc::{ExternalIdentity, ExternalUser, ExternalUsers},
};

const MEET: &str = "external_users.meet";

#[async_trait]
impl ExternalUsers for Identity {
    /// Returns the user with the id `sub`, and creates it for a new identity.
    ///
    /// The id belongs to the first issuer that vouched for it: tokens of another issuer with the same `sub` are
    /// refused, and so are tokens with the id of an account created here. A user who gets no tenant from the issuer's
    /// rules gets a new one, as its owner. The address is stored if the issuer calls it verified. It is not used to
    /// find an account, but an invite for it can be accepted.
    ///
    /// The memberships that the issuer's rules give apply as long as the store has no such membership.
    async fn user(&self, identity: &ExternalIdentity<'_>) -> Result<ExternalUser> {
        let state = &*self.state;
        for _ in 0..MAX_ATTEMPTS {
            let known = state.user(identity.sub).await?;
            if let Some(user) = known.as_ref().filter(|user| user.body.disabled || !user.body.is_block_record()) {
                if user.body.issuer.as_deref() != Some(identity.issuer) {
                    return Err(invalid_token("a user with this id exists and belongs to another issuer"));
                }
                if user.body.disabled {
                    return Err(invalid_token("the account is disabled"));
                }
                if user.body.default_tenant.is_some() || !identity.mapped.is_empty() {
                    return state.external_user(&user.body).await;
                }
            }
            if let Some(body) = state.upsert_external_user(identity, known).await? {
                return state.external_user(&body).await;
            }
        }
        Err(Error::unavailable(MEET, "concurrent requests keep changing this user; retry"))
    }
}

impl IdentityState {
    /// Stores a new identity, with a new tenant if it needs one. Returns `None` when a concurrent change
    /// interfered.
    async fn upsert_external_user(
        &self,
        identity: &ExternalIdentity<'_>,
        known: Option<StoredDocument<UserBody>>,
    ) -> Result<Option<UserBody>> {
        let now = self.now();
        let email = identity.email.and_then(|email| EmailAddress::parse(email).ok());
        let local = email.as_ref().and_then(|email| email.as_str().split_once('@')).map(|(local, _)| local.to_owned());
        // An unverified address is still used for the name of the tenant.
        let email = email.filter(|_| identity.email_verified);
        let expect = known.as_ref().map_or(Expect::Absent, |known| Expect::Version(known.version));
        let mut body = match known.map(|known| known.body) {
            Some(body) if !body.is_block_record() => body,
            block => UserBody {
                issuer: Some(identity.issuer.to_owned()),
                email: email.as_ref().map(|email| email.as_str().to_owned()),
                email_verified: email.is_some(),
                generation: block.as_ref().map_or(0, |block| block.generation),
                tokens_valid_from: block.and_then(|block| block.tokens_valid_from),
                ..UserBody::new(identity.sub.clone())
            },
        };
        let mut batch = Batch::spanning(now);
        if identity.mapped.is_empty() {
            // Members see the name of the tenant, and its owner can change it. It is the local part, so that the
            // address itself is not shown.
            let name = local.unwrap_or_else(|| "Personal".to_owned());
            let tenant = self.generate_tenant_id(&name)?;
            batch = self.put_new_tenant(batch, &tenant, name, Some(identity.sub))?;
            body.default_tenant = Some(tenant);
        }
        let context = engines_core::RequestContext::system(
            self.records.system().clone(),
            MEET,
            &**self.guard.clock(),
            self.guard.ids(),
        )?;
        let resource = format!("users/{}", records::user_key(identity.sub));
        let audit = self.audit(now, MEET, resource, &context.actor().id, context.trace());
        let batch = records::put(batch, USER, records::user_id(identity.sub)?, &[], &body, expect)?;
        if !self.records.try_commit(self.records.system(), batch.audit(audit)).await? {
            return Ok(None);
        }
        self.cache.users.invalidate(identity.sub);
        if let Some(tenant) = &body.default_tenant {
            self.cache.tenants.invalidate(tenant);
            self.cache.members.invalidate(&(tenant.clone(), identity.sub.clone()));
        }
        Ok(Some(body))
    }

    /// Returns the user as the authenticator needs it: the chosen tenant with the role in the store. The directory
    /// decides later which memberships apply.
    async fn external_user(&self, body: &UserBody) -> Result<ExternalUser> {
        let mut memberships = BTreeMap::new();
        if let Some(tenant) = &body.default_tenant
            && let Membership::Role(role) = self.membership(tenant, &body.user_id).await?
        {
            memberships.insert(tenant.clone(), role);
        }
        Ok(ExternalUser { id: body.user_id.clone(), memberships, default_tenant: body.default_tenant.clone() })
    }
}
