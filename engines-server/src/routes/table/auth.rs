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
        |ask| Box::pin(auth::signup(ask)),
        "Create an account, and a tenant if one is named; logs in",
        (201, "Signup", "Tokens"),
    )
    .with_work(WorkClass::PasswordHash),
    public_post("/auth/login", |ask| Box::pin(auth::login(ask)), "Log in", (200, "Login", "Tokens"))
        .with_work(WorkClass::PasswordHash),
    public_post(
        "/auth/refresh",
        |ask| Box::pin(auth::refresh(ask)),
        "Exchange a refresh token, which is valid once, for new tokens; a used one ends its session",
        (200, "Refresh", "Tokens"),
    )
    .with_work(WorkClass::Refresh),
    guest(
        "/auth/invites/accept",
        |ask, principal| Box::pin(auth::accept_invite(ask, principal)),
        "Accept an invite with its token, or with its id if it is for the caller; with an address and a password as a new user; logs in",
        (200, "AcceptInvite", "InviteAccepted"),
    )
    .with_work(WorkClass::PasswordHash),
    token(
        Method::POST,
        "/auth/logout",
        |ask, principal| Box::pin(auth::logout(ask, principal)),
        "End the session of the token",
        (204, None),
    )
    .ending_sessions(),
    token(
        Method::GET,
        "/auth/me",
        |ask, principal| Box::pin(auth::me(ask, principal)),
        "The caller's account and memberships",
        (200, Some("Me")),
    ),
    route(
        Method::PATCH,
        "/auth/me",
        Endpoint::Token(|ask, principal| Box::pin(auth::update_me(ask, principal))),
        "Change the caller's public profile",
        &[],
        (BodyKind::Json, Some("Profile")),
        (200, Some("Me")),
    ),
    route(
        Method::DELETE,
        "/auth/me",
        Endpoint::Token(|ask, principal| Box::pin(auth::delete_me(ask, principal))),
        "Delete the caller's account, with its password; not possible for the last owner of an open tenant",
        &[],
        (BodyKind::OptionalJson, Some("DeleteAccount")),
        (204, None),
    ),
    route(
        Method::POST,
        "/auth/password",
        Endpoint::Token(|ask, principal| Box::pin(auth::password(ask, principal))),
        "Change the caller's password; ends all other sessions",
        &[],
        (BodyKind::Json, Some("ChangePassword")),
        (204, None),
    ),
    token(
        Method::GET,
        "/auth/bootstrap",
        |ask, principal| Box::pin(auth::bootstrap(ask, principal)),
        "The data that a client needs to start",
        (200, Some("Bootstrap")),
    ),
    route(
        Method::GET,
        "/auth/sessions",
        Endpoint::Token(|ask, principal| Box::pin(auth::sessions(ask, principal))),
        "List the caller's sessions, newest first",
        PAGE,
        (BodyKind::None, None),
        (200, Some("SessionPage")),
    ),
    token(
        Method::DELETE,
        "/auth/sessions",
        |ask, principal| Box::pin(auth::end_sessions(ask, principal)),
        "End all sessions of the caller, with the current one",
        (204, None),
    )
    .ending_sessions(),
    token(
        Method::DELETE,
        "/auth/sessions/{id}",
        |ask, principal| Box::pin(auth::revoke_session(ask, principal)),
        "End a session of the caller, and the streams opened with it",
        (204, None),
    )
    .ending_sessions(),
    write(
        "/auth/tickets",
        Action::TicketsCreate,
        |ask, context| Box::pin(auth::ticket(ask, context)),
        "Get a ticket for one stream, as `?ticket=`; valid once, or several times with `reuse`",
        (201, "NewTicket", "Ticket"),
    ),
    change(
        Method::DELETE,
        "/auth/tickets/{id}",
        Action::TicketsEnd,
        |ask, context| Box::pin(auth::end_ticket(ask, context)),
        "Revoke a ticket of the caller, and close the streams opened with it",
        (None, 204, None),
    ),
    route(
        Method::POST,
        "/auth/bootstrap/tenants",
        Endpoint::Public(|ask| Box::pin(auth::bootstrap_tenants(ask))),
        "Create t_system and t_northstar unless they exist; needs X-System-Key",
        &[],
        (BodyKind::OptionalJson, Some("BootstrapTenants")),
        (200, Some("BootstrapTenantsAnswer")),
    )
    .with_headers(&["X-System-Key"], &[])
    .with_work(WorkClass::PasswordHash),
];
