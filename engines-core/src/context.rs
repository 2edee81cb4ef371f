//! Request contexts: the caller, tenant and environment of a service call. Every service call takes one.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    access::Role,
    clock::{Clock, IdGenerator, Timestamp},
    code::Code,
    error::{Error, Result},
    id::{TenantId, UserId},
    scope::{Env, Scope},
    trace::Trace,
};

/// The type of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorType {
    /// A person.
    #[default]
    Human,
    /// An AI agent.
    Agent,
    /// The deployment itself.
    System,
}

impl ActorType {
    /// The type's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
            Self::System => "system",
        }
    }

    /// Parses a name from the wire.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::Human, Self::Agent, Self::System].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An actor: a person, an agent or the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The id of the user or agent.
    #[serde(rename = "actor_id")]
    pub id: UserId,
    /// The type of the actor.
    #[serde(rename = "actor_type")]
    pub kind: ActorType,
}

/// An actor whose credential was verified, with the memberships the credential proves. It is not yet admitted to a
/// tenant.
///
/// An authenticator makes it, with [`Principal::assume_verified`]. It grants nothing by itself: [`RequestContext::admit_verified`] checks the membership.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Principal {
    /// The actor.
    pub actor: Actor,
    /// The e-mail address in the credential; shown only to its owner.
    pub email: Option<Email>,
    /// The tenants the actor is a member of, with its role in each.
    pub memberships: BTreeMap<TenantId, Role>,
    /// The tenant of requests that name none.
    pub default_tenant: Option<TenantId>,
    /// When the credential was issued (`iat`), if it says so. A user who was disabled and enabled again needs a newer
    /// one.
    pub issued_at: Option<Timestamp>,
    /// When the credential expires; open streams end at this time.
    pub expires_at: Option<Timestamp>,
    /// The id of the credential (`jti`), for revocation and audit.
    pub credential_id: Option<Arc<str>>,
    /// The session the credential belongs to (`sid`). When the session is revoked, so is the credential.
    pub session: Option<Arc<str>>,
    /// The reusable ticket the caller authenticated with. When the ticket ends, everything opened with it ends.
    pub ticket: Option<Arc<str>>,
    /// The issuer of the credential (`iss`).
    pub issuer: Arc<str>,
    /// The scope that the credential is restricted to, if it was made for one: an API key, a ticket.
    pub restriction: Option<ScopeRestriction>,
}

/// The only scope in which a credential is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeRestriction {
    /// The tenant.
    pub tenant: TenantId,
    /// The environment; `None` for all of the tenant's environments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Env>,
}

impl Principal {
    /// Makes a principal with nothing but an actor and an issuer: without memberships and without expiry. The caller
    /// must have verified the credential, and sets the other fields.
    #[must_use]
    pub fn assume_verified(actor: Actor, issuer: impl Into<Arc<str>>) -> Self {
        Self {
            actor,
            email: None,
            memberships: BTreeMap::new(),
            default_tenant: None,
            issued_at: None,
            expires_at: None,
            credential_id: None,
            session: None,
            ticket: None,
            issuer: issuer.into(),
            restriction: None,
        }
    }

    /// Checks whether the credential may be used in `scope` at all, whatever the membership.
    ///
    /// # Errors
    /// `TENANT_FORBIDDEN` when the credential is restricted to another tenant or environment.
    pub fn check_restriction(&self, scope: &Scope) -> Result<()> {
        let within = |bound: &ScopeRestriction| {
            bound.tenant == *scope.tenant() && bound.env.is_none_or(|env| env == scope.env())
        };
        if self.restriction.as_ref().is_none_or(within) {
            return Ok(());
        }
        Err(Error::new(
            Code::TenantForbidden,
            "admission.restriction",
            "the credential is restricted to another tenant or environment; use it there, or get another one",
        ))
    }
}

/// An e-mail address that does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(Arc<str>);

impl Email {
    /// Wraps an address.
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self(address.into())
    }

    /// The address. Show it only to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// Proof that a caller may act in one scope. Its fields are private: a context is made by admission
/// ([`RequestContext::admit_verified`], which takes a verified [`Principal`]), by [`RequestContext::system`], or by the
/// test kit.
///
/// Cheap to clone.
///
/// ```compile_fail
/// // A context cannot be constructed directly.
/// let context = engines_core::RequestContext { inner: std::sync::Arc::new(()) };
/// ```
#[derive(Clone)]
pub struct RequestContext {
    inner: Arc<ContextFields>,
}

struct ContextFields {
    scope: Scope,
    actor: Actor,
    role: Role,
    trace: Trace,
    origin: ContextOrigin,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    credential_id: Option<Arc<str>>,
    session: Option<Arc<str>>,
    ticket: Option<Arc<str>>,
}

/// The tenant and environment that a body or message names. They do not select the scope: those that are present must
/// agree with the context ([`RequestContext::check_claims`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ScopeClaims {
    /// The tenant.
    pub tenant_id: Option<String>,
    /// The tenant, under the name that older producers of events use.
    #[serde(rename = "tenantId")]
    pub camel_case_tenant_id: Option<String>,
    /// The environment.
    pub env: Option<String>,
}

/// How a context was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextOrigin {
    /// By admission, with a verified credential of this issuer.
    Credential {
        /// The issuer.
        issuer: Arc<str>,
    },
    /// For trusted work in process.
    System {
        /// The reason; it is written to the audit log.
        reason: Arc<str>,
    },
}

impl RequestContext {
    /// Admits a verified principal to `scope`, with the role of its membership there.
    ///
    /// # Errors
    /// `TENANT_FORBIDDEN` when it is not a member of the scope's tenant, or its credential is restricted to another
    /// scope.
    pub fn admit_verified(principal: &Principal, scope: Scope, trace: Trace) -> Result<Self> {
        principal.check_restriction(&scope)?;
        let role = *principal.memberships.get(scope.tenant()).ok_or_else(|| {
            Error::new(
                Code::TenantForbidden,
                "admission.membership",
                "the credential gives no membership of this tenant",
            )
        })?;
        Ok(Self {
            inner: Arc::new(ContextFields {
                scope,
                actor: principal.actor.clone(),
                role,
                trace,
                origin: ContextOrigin::Credential { issuer: Arc::clone(&principal.issuer) },
                issued_at: principal.issued_at,
                expires_at: principal.expires_at,
                credential_id: principal.credential_id.clone(),
                session: principal.session.clone(),
                ticket: principal.ticket.clone(),
            }),
        })
    }

    /// Makes a context for trusted work in process (a migration, a scheduled job); `reason` is audited with each of its
    /// actions.
    ///
    /// # Errors
    /// Never in practice: the actor id is a constant that matches its pattern.
    pub fn system(scope: Scope, reason: &str, clock: &dyn Clock, ids: &IdGenerator) -> Result<Self> {
        Ok(Self {
            inner: Arc::new(ContextFields {
                scope,
                actor: Actor { id: UserId::new("system")?, kind: ActorType::System },
                role: Role::Owner,
                trace: Trace::begin(clock, ids),
                origin: ContextOrigin::System { reason: reason.into() },
                issued_at: None,
                expires_at: None,
                credential_id: None,
                session: None,
                ticket: None,
            }),
        })
    }

    /// The admitted principal, with the one membership it was admitted by; `None` for trusted work in process.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        let ContextOrigin::Credential { issuer } = &self.inner.origin else { return None };
        let mut principal = Principal::assume_verified(self.inner.actor.clone(), Arc::clone(issuer));
        principal.memberships.insert(self.inner.scope.tenant().clone(), self.inner.role);
        principal.issued_at = self.inner.issued_at;
        principal.expires_at = self.inner.expires_at;
        principal.credential_id.clone_from(&self.inner.credential_id);
        principal.session.clone_from(&self.inner.session);
        principal.ticket.clone_from(&self.inner.ticket);
        Some(principal)
    }

    /// The tenant and environment.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.inner.scope
    }

    /// The actor.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.inner.actor
    }

    /// The actor's role in this tenant.
    #[must_use]
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// Request and trace ids.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.inner.trace
    }

    /// How the context was made.
    #[must_use]
    pub fn origin(&self) -> &ContextOrigin {
        &self.inner.origin
    }

    /// When the credential was issued, if it says so.
    #[must_use]
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.inner.issued_at
    }

    /// When the credential expires; a stream opened with it must not outlive this time.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.inner.expires_at
    }

    /// The credential's id, if it has one.
    #[must_use]
    pub fn credential_id(&self) -> Option<&str> {
        self.inner.credential_id.as_deref()
    }

    /// The session its credential belongs to, if it has one.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.inner.session.as_deref()
    }

    /// The id of the reusable ticket the caller authenticated with, if it did.
    #[must_use]
    pub fn ticket(&self) -> Option<&str> {
        self.inner.ticket.as_deref()
    }

    /// Checks the tenant and environment that a body or message names against this context. Admission does this for the
    /// body of an HTTP request; the service does it for a message that arrives later, for example over a WebSocket.
    ///
    /// # Errors
    /// `CONTEXT_MISMATCH` with the member `field` when a claim disagrees with the context or is malformed.
    pub fn check_claims(&self, claims: &ScopeClaims) -> Result<()> {
        let scope = self.scope();
        let same_tenant = |named: &Option<String>| named.as_ref().is_none_or(|named| named == scope.tenant().as_str());
        let same_env = |named: &String| named.parse().is_ok_and(|env: Env| env == scope.env());
        let agrees = [
            ("tenant_id", same_tenant(&claims.tenant_id)),
            ("tenantId", same_tenant(&claims.camel_case_tenant_id)),
            ("env", claims.env.as_ref().is_none_or(same_env)),
        ];
        match agrees.into_iter().find(|(_, agrees)| !agrees) {
            None => Ok(()),
            Some((field, _)) => {
                let detail = format!("{field} disagrees with the tenant and environment this was admitted to");
                Err(Error::new(Code::ContextMismatch, "context.claims", detail).with_member("field", field))
            }
        }
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("scope", &self.inner.scope)
            .field("actor", &self.inner.actor.id)
            .field("role", &self.inner.role)
            .field("request_id", &self.inner.trace.request_id)
            .finish_non_exhaustive()
    }
}
