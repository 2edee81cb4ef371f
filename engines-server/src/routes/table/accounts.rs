//! Email addresses, password resets, and the caller's invites and memberships.

use http::Method;

use super::builders::{PAGE, operator, public_post, route, token};
use crate::{
    handlers::accounts,
    route_info::{BodyKind, WorkClass},
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    token(
        Method::POST,
        "/auth/verify/request",
        |parts, principal| Box::pin(accounts::request_verification(parts, principal)),
        "Request a mail with a token that verifies the caller's address",
        (202, Some("Accepted")),
    ),
    route(
        Method::POST,
        "/auth/verify",
        Endpoint::Guest(|parts, principal| Box::pin(accounts::verify(parts, principal))),
        "Verify an address with the mailed token; accounts that have it unverified lose it",
        &[],
        (BodyKind::Json, Some("MailToken")),
        (204, None),
    ),
    public_post(
        "/auth/password/forgot",
        |parts| Box::pin(accounts::forgot_password(parts)),
        "Request a mail with a token that resets a password; the response is the same for every address",
        (202, "ForgotPassword", "Accepted"),
    ),
    route(
        Method::POST,
        "/auth/password/reset",
        Endpoint::Public(|parts| Box::pin(accounts::reset_password(parts))),
        "Set a new password with the mailed token; ends all sessions",
        &[],
        (BodyKind::Json, Some("ResetPassword")),
        (204, None),
    )
    .with_work(WorkClass::PasswordHash),
    route(
        Method::POST,
        "/auth/email",
        Endpoint::Token(|parts, principal| Box::pin(accounts::change_email(parts, principal))),
        "Change the address; it takes effect once the mailed token is used",
        &[],
        (BodyKind::Json, Some("ChangeEmail")),
        (202, Some("Accepted")),
    ),
    route(
        Method::PUT,
        "/auth/me/default-tenant",
        Endpoint::Token(|parts, principal| Box::pin(accounts::set_default_tenant(parts, principal))),
        "Set the tenant for requests that name none",
        &[],
        (BodyKind::Json, Some("DefaultTenant")),
        (200, Some("Me")),
    ),
    route(
        Method::GET,
        "/auth/memberships",
        Endpoint::Token(|parts, principal| Box::pin(accounts::memberships(parts, principal))),
        "List the caller's memberships, owned tenants first",
        PAGE,
        (BodyKind::None, None),
        (200, Some("MembershipPage")),
    ),
    route(
        Method::GET,
        "/auth/invites",
        Endpoint::Token(|parts, principal| Box::pin(accounts::own_invites(parts, principal))),
        "List the caller's open invites, for the user id and for the verified address",
        PAGE,
        (BodyKind::None, None),
        (200, Some("OwnInvitePage")),
    ),
    route(
        Method::POST,
        "/auth/invites/decline",
        Endpoint::Token(|parts, principal| Box::pin(accounts::decline_invite(parts, principal))),
        "Decline an invite of the caller",
        &[],
        (BodyKind::Json, Some("DeclineInvite")),
        (204, None),
    ),
    operator(
        "/users/{user_id}/verify-email",
        |parts, context| Box::pin(accounts::mark_verified(parts, context)),
        "Mark a user's address as verified; for the control plane of a deployment without a mailer",
        (204, None),
    ),
];
