//! Accounts, sessions, tickets, and the bootstrap.

use engines::Action;
use http::Method;

use super::builders::{PAGE, change, guest, public_post, route, token, write};
use crate::{
    handlers::auth,
    routes::{BodyKind, Endpoint, Route, WorkClass},
};

pub(super) static ROUTES: &[Route] = &[
    public_post(
        "/auth/signup",
        |ask| Box::pin(auth::signup(ask)),
        "Make an account, and a tenant with it if one is named; logs in",
        (201, "Signup", "Tokens"),
    )
    .with_work(WorkClass::PasswordHash),
    public_post("/auth/login", |ask| Box::pin(auth::login(ask)), "Log in", (200, "Login", "Tokens"))
        .with_work(WorkClass::PasswordHash),
    public_post(
        "/auth/refresh",
        |ask| Box::pin(auth::refresh(ask)),
        "The next tokens for a refresh token, which is good once; one used before ends its session",
        (200, "Refresh", "Tokens"),
    )
    .with_work(WorkClass::Refresh),
    guest(
        "/auth/invites/accept",
        |ask, principal| Box::pin(auth::accept_invite(ask, principal)),
        "Accept an invite, with its token or with the id of one's own; or as somebody new with an address and a password; logs in",
        (200, "AcceptInvite", "InviteAccepted"),
    )
    .with_work(WorkClass::PasswordHash),
    token(
        Method::POST,
        "/auth/logout",
        |ask, principal| Box::pin(auth::logout(ask, principal)),
        "End the session the token belongs to",
        (204, None),
    ),
    token(
        Method::GET,
        "/auth/me",
        |ask, principal| Box::pin(auth::me(ask, principal)),
        "Who is asking, and where they are members",
        (200, Some("Me")),
    ),
    route(
        Method::PATCH,
        "/auth/me",
        Endpoint::Token(|ask, principal| Box::pin(auth::update_me(ask, principal))),
        "Change what others see of oneself",
        &[],
        (BodyKind::Json, Some("Profile")),
        (200, Some("Me")),
    ),
    route(
        Method::DELETE,
        "/auth/me",
        Endpoint::Token(|ask, principal| Box::pin(auth::delete_me(ask, principal))),
        "Delete one's own account, with its password; the last owner of an open tenant stays",
        &[],
        (BodyKind::OptionalJson, Some("DeleteAccount")),
        (204, None),
    ),
    route(
        Method::POST,
        "/auth/password",
        Endpoint::Token(|ask, principal| Box::pin(auth::password(ask, principal))),
        "Change one's own password; ends all other sessions",
        &[],
        (BodyKind::Json, Some("ChangePassword")),
        (204, None),
    ),
    token(
        Method::GET,
        "/auth/bootstrap",
        |ask, principal| Box::pin(auth::bootstrap(ask, principal)),
        "What a client needs to begin",
        (200, Some("Bootstrap")),
    ),
    route(
        Method::GET,
        "/auth/sessions",
        Endpoint::Token(|ask, principal| Box::pin(auth::sessions(ask, principal))),
        "List one's own sessions, the newest first",
        PAGE,
        (BodyKind::None, None),
        (200, Some("SessionPage")),
    ),
    token(
        Method::DELETE,
        "/auth/sessions",
        |ask, principal| Box::pin(auth::end_sessions(ask, principal)),
        "End all of one's own sessions, this one too",
        (204, None),
    ),
    token(
        Method::DELETE,
        "/auth/sessions/{id}",
        |ask, principal| Box::pin(auth::revoke_session(ask, principal)),
        "End one of one's own sessions, and what was opened with it",
        (204, None),
    ),
    write(
        "/auth/tickets",
        Action::TicketsCreate,
        |ask, context| Box::pin(auth::ticket(ask, context)),
        "Get a ticket that opens one stream, as `?ticket=`: once, or again and again with `reuse`",
        (201, "NewTicket", "Ticket"),
    ),
    change(
        Method::DELETE,
        "/auth/tickets/{id}",
        Action::TicketsEnd,
        |ask, context| Box::pin(auth::end_ticket(ask, context)),
        "End a ticket of one's own, and what is open with it",
        (None, 204, None),
    ),
    route(
        Method::POST,
        "/auth/bootstrap/tenants",
        Endpoint::Public(|ask| Box::pin(auth::bootstrap_tenants(ask))),
        "Make t_system and t_northstar where they are not there; needs X-System-Key",
        &[],
        (BodyKind::OptionalJson, Some("BootstrapTenants")),
        (200, Some("BootstrapTenantsAnswer")),
    )
    .with_headers(&["X-System-Key"], &[])
    .with_work(WorkClass::PasswordHash),
];
