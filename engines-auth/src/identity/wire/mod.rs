//! Requests and responses of the identity routes, with the field names of the wire contract.

mod accounts;
mod caller;
mod invites;
mod sessions;
mod tenants;

pub use self::{
    accounts::{
        Accepted, BootstrapState, DefaultTenantRequest, DeleteAccountRequest, EmailRequest, ForgotRequest,
        MailTokenRequest, MeResponse, PasswordRequest, ProfileRequest, ResetRequest, SignupRequest, UserView,
    },
    caller::Caller,
    invites::{
        AcceptRequest, AcceptResponse, DeclineRequest, InviteRequest, InviteResponse, InviteView, OwnInviteView,
    },
    sessions::{LoginRequest, RefreshRequest, SessionView, TokenResponse},
    tenants::{
        BootstrapRequest, BootstrapResponse, FirstOwner, Invited, MemberRequest, MemberView, MembershipView,
        RoleRequest, TenantRequest, TenantView,
    },
};
