//! Identity: users, tenants, memberships, sessions and invites, on the store contract alone.
//!
//! [`Identity`] is the service. Its methods follow the routes in section 2 of the wire contract, and its requests and
//! responses have the field names of the wire. It is also the [`Directory`](crate::Directory) of admission, and
//! publishes [`Revocation`](crate::Revocation)s. [`AuthFailureLog`] writes refused attempts into the audit log.

mod account;
mod accounts;
mod actor;
mod addresses;
pub mod api_key;
mod archive;
mod auth_failure_log;
mod builder;
mod control_plane;
mod directory;
mod directory_cache;
mod display_name;
mod documents;
mod email_address;
mod expiring_cache;
mod expiry;
mod external_users;
mod first_tenants;
mod index_key_check;
mod invites;
mod known_networks;
mod login_attempts;
mod login_limits;
mod mail_queue;
mod mail_tokens;
mod mail_worker;
mod membership_changes;
mod network;
mod opaque_token;
mod own_invites;
mod own_memberships;
mod purge;
mod quota;
mod records;
mod recovery;
mod revocation;
mod service;
mod sessions;
mod settings;
mod state;
mod system_key;
mod tenant_members;
mod tenant_quota;
mod tenants;
pub mod ticket;
mod verification;
mod wire;

pub use self::{
    archive::{ArchivedMember, ArchivedTenant, TenantRestoration},
    auth_failure_log::{AuthFailureLog, AuthFailureSettings, AuthFailureWriter},
    builder::IdentityBuilder,
    control_plane::SYSTEM_TENANT,
    documents::TenantStatus,
    first_tenants::NORTHSTAR_TENANT,
    index_key_check::IndexKeyStatus,
    mail_worker::MailWorker,
    service::Identity,
    settings::{IdentitySettings, Signup},
    system_key::SystemKey,
    wire::{
        AcceptRequest, AcceptResponse, Accepted, BootstrapRequest, BootstrapResponse, BootstrapState, Caller,
        DeclineRequest, DefaultTenantRequest, DeleteAccountRequest, EmailRequest, FirstOwner, ForgotRequest,
        InviteRequest, InviteResponse, InviteView, Invited, LoginRequest, MailTokenRequest, MeResponse, MemberRequest,
        MemberView, MembershipView, OwnInviteView, PasswordRequest, ProfileRequest, RefreshRequest, ResetRequest,
        RoleRequest, SessionView, SignupRequest, TenantRequest, TenantView, TokenResponse, UserView,
    },
};
pub use crate::rate_limiter::Rate;
