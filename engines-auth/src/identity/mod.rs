//! Identity: users, tenants, memberships, sessions and invites, on the store contract alone.
//!
//! [`Identity`] is the service; its methods follow the routes of the wire contract's section 2, its requests and responses have the
//! wire's field names. It is the [`Directory`](crate::Directory) of the door, and tells of [`Revocation`](crate::Revocation)s. [`RejectionLog`] writes refused
//! attempts into the audit log.

mod accounts;
mod addresses;
mod archive;
mod bodies;
mod bootstrap;
mod directory;
mod email;
mod external;
mod facts;
mod invites;
mod key_check;
mod known;
mod login_limits;
mod mailing;
mod members;
mod membership;
mod memberships;
mod name_text;
pub(crate) mod opaque;
mod own_account;
mod own_invites;
mod purge;
pub(crate) mod records;
mod recovery;
mod rejection_log;
mod revocation;
mod service;
mod sessions;
mod settings;
mod sweep;
mod system_key;
mod tenant_quota;
mod tenants;
mod throttle;
mod verification;
mod wire;
mod wire_accounts;

pub(crate) use self::{
    accounts::name_of,
    bodies::{ApiKeyBody, ApiKeyUseBody, TicketBody},
    service::Inner,
};
pub use self::{
    archive::{ArchivedMember, ArchivedTenant, TenantRestoration},
    bodies::TenantStatus,
    bootstrap::{NORTHSTAR, SYSTEM},
    key_check::IndexCheck,
    mailing::MailWorker,
    rejection_log::{RejectionLog, RejectionSettings, RejectionWriter},
    service::{Identity, IdentityBuilder},
    settings::{IdentitySettings, Signup},
    system_key::SystemKey,
    throttle::Rate,
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
