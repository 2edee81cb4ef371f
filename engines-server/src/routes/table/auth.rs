//! Accounts, sessions, tickets, and the bootstrap.

use engines::Action;
use http::Method;

use super::builders::{PAGE, change, guest, public_post, route, token, write};
use crate::{
    handlers::auth,
    route_info::{BodyKind, WorkClass},
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    public_post(
        "/auth/signup",
        |parts| Box::pin(auth::signup(parts)),
        "Create an account, and a tenant if one is named; logs in",
        (201, "Signup", "Tokens"),
    )
    .with_work(WorkClass::PasswordHash),
    public_post("/auth/login", |parts| Box::pin(auth::login(parts)), "Log in", (200, "Login", "Tokens"))
        .with_work(WorkClass::PasswordHash),
    public_post(
        "/auth/refresh",
        |parts| Box::pin(auth::refresh(parts)),
        "Exchange a refresh token, which is valid once, for new tokens; a used one ends its session",
        (200, "Refresh", "Tokens"),
    )
    .with_work(WorkClass::Refresh),
    guest(
        "/auth/invites/accept",
        |parts, principal| Box::pin(auth::accept_invite(parts, principal)),
        "Accept an invite with its token, or with its id if it is for the caller; with an address and a password as a new user; logs in",
        (200, "AcceptInvite", "InviteAccepted"),
    )
    .with_work(WorkClass::PasswordHash),
    token(
        Method::POST,
        "/auth/logout",
        |parts, principal| Box::pin(auth::logout(parts, principal)),
        "End the session of the token",
        (204, None),
    )
    .ending_sessions(),
    token(
        Method::GET,
        "/auth/me",
        |parts, principal| Box::pin(auth::me(parts, principal)),
        "The caller's account and memberships",
        (200, Some("Me")),
    ),
    route(
        Method::PATCH,
        "/auth/me",
        Endpoint::Token(|parts, principal| Box::pin(auth::update_me(parts, principal))),
        "Change the caller's public profile",
        &[],
        (BodyKind::Json, Some("Profile")),
        (200, Some("Me")),
    ),
    route(
        Method::DELETE,
        "/auth/me",
        Endpoint::Token(|parts, principal| Box::pin(auth::delete_me(parts, principal))),
        "Delete the caller's account, with its password; not possible for the last owner of an open tenant",
        &[],
        (BodyKind::OptionalJson, Some("DeleteAccount")),
        (204, None),
    ),
    route(
        Method::POST,
        "/auth/password",
        Endpoint::Token(|parts, principal| Box::pin(auth::password(parts, principal))),
        "Change the caller's password; ends all other sessions",
        &[],
        (BodyKind::Json, Some("ChangePassword")),
        (204, None),
    ),
    token(
        Method::GET,
        "/auth/bootstrap",
        |parts, principal| Box::pin(auth::bootstrap(parts, principal)),
        "The data that a client needs to start",
        (200, Some("Bootstrap")),
    ),
    route(
        Method::GET,
        "/auth/sessions",
        Endpoint::Token(|parts, principal| Box::pin(auth::sessions(parts, principal))),
        "List the caller's sessions, newest first",
        PAGE,
        (BodyKind::None, None),
        (200, Some("SessionPage")),
    ),
    token(
        Method::DELETE,
        "/auth/sessions",
        |parts, principal| Box::pin(auth::end_sessions(parts, principal)),
        "End all sessions of the caller, with the current one",
        (204, None),
    )
    .ending_sessions(),
    token(
        Method::DELETE,
        "/auth/sessions/{id}",
        |parts, principal| Box::pin(auth::revoke_session(parts, principal)),
        "End a session of the caller, and the streams opened with it",
        (204, None),
    )
    .ending_sessions(),
    write(
        "/auth/tickets",
        Action::TicketsCreate,
        |parts, context| Box::pin(auth::ticket(parts, context)),
        "Get a ticket for one stream, as `?ticket=`; valid once, or several times with `reuse`",
        (201, "NewTicket", "Ticket"),
    ),
    change(
        Method::DELETE,
        "/auth/tickets/{id}",
        Action::TicketsEnd,
        |parts, context| Box::pin(auth::end_ticket(parts, context)),
        "Revoke a ticket of the caller, and close the streams opened with it",
        (None, 204, None),
    ),
    route(
        Method::POST,
        "/auth/bootstrap/tenants",
        Endpoint::Public(|parts| Box::pin(auth::bootstrap_tenants(parts))),
        "Create t_system and t_northstar unless they exist; needs X-System-Key",
        &[],
        (BodyKind::OptionalJson, Some("BootstrapTenants")),
        (200, Some("BootstrapTenantsAnswer")),
    )
    .with_headers(&["X-System-Key"], &[])
    .with_work(WorkClass::PasswordHash),
];
