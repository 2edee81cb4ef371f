//! Identity: users, tenants, memberships, sessions and invites, on the store contract alone.
//!
//! [`Identity`] is the service. Its methods follow the routes in section 2 of the wire contract, and its requests and
//! responses have the field names of the wire. It is also the [`Directory`](crate::Directory) of admission, and
//! publishes [`Revocation`](crate::Revocation)s. [`AuthFailureLog`] writes refused attempts into the audit log.

mod account;
mod accounts;
mod addresses;
mod archive;
mod auth_failure_log;
mod bootstrap;
mod directory;
mod directory_cache;
mod display_name;
mod documents;
mod email_address;
mod expiring_cache;
mod expiry;
mod external_users;
mod index_key_check;
mod invites;
mod login_limits;
mod mail_queue;
mod members;
mod membership;
mod memberships;
pub(crate) mod opaque_token;
mod own_invites;
mod purge;
mod quota;
mod rate_limiter;
pub(crate) mod records;
mod recovery;
mod revocation;
mod service;
mod sessions;
mod settings;
mod system_key;
mod tenant_quota;
mod tenants;
mod verification;
mod wire;
mod wire_accounts;

pub(crate) use self::{
    accounts::validate_name,
    documents::{ApiKeyBody, ApiKeyUseBody, TicketBody},
    quota::{Quota, QuotaTurn},
    service::Inner,
    tenants::{MAX_ATTEMPTS, conflict_error},
};
pub use self::{
    archive::{ArchivedMember, ArchivedTenant, TenantRestoration},
    auth_failure_log::{AuthFailureLog, AuthFailureSettings, AuthFailureWriter},
    bootstrap::{NORTHSTAR_TENANT, SYSTEM_TENANT},
    documents::TenantStatus,
    index_key_check::IndexKeyStatus,
    mail_queue::MailWorker,
    rate_limiter::Rate,
    service::{Identity, IdentityBuilder},
    settings::{IdentitySettings, Signup},
    system_key::SystemKey,
    wire::{
        AcceptRequest, BootstrapRequest, BootstrapResponse, BootstrapState, Caller, DeleteAccountRequest, FirstOwner,
        InviteRequest, InviteResponse, InviteView, LoginRequest, MeResponse, MemberRequest, MemberView, MembershipView,
        PasswordRequest, ProfileRequest, RefreshRequest, RoleRequest, SessionView, SignupRequest, TenantRequest,
        TenantView, TokenResponse, UserView,
    },
    wire_accounts::{
        AcceptResponse, Accepted, DeclineRequest, DefaultTenantRequest, EmailRequest, ForgotRequest, Invited,
        MailTokenRequest, OwnInviteView, ResetRequest,
    },
};
