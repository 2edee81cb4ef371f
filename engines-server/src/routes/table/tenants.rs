//! Tenants, their members and invites, and actions of the control plane on them.

use engines::Action;
use http::Method;

use super::builders::{PAGE, change, operator, read, route, write};
use crate::{
    handlers::tenants,
    routes::{BodyKind, Endpoint, Route},
};

pub(super) static ROUTES: &[Route] = &[
    route(
        Method::POST,
        "/tenants",
        Endpoint::Token(|ask, principal| Box::pin(tenants::create(ask, principal))),
        "Make a tenant, with oneself as its first owner",
        &[],
        (BodyKind::Json, Some("NewTenant")),
        (201, Some("Tenant")),
    ),
    route(
        Method::GET,
        "/tenants",
        Endpoint::Operator(|ask, context| Box::pin(tenants::list(ask, context))),
        "List all tenants, for the control plane",
        PAGE,
        (BodyKind::None, None),
        (200, Some("TenantPage")),
    ),
    read(
        "/tenants/{t}",
        Action::TenantsRead,
        |ask, context| Box::pin(tenants::read(ask, context)),
        "Look at one's own tenant",
        &[],
        "Tenant",
    ),
    change(
        Method::PATCH,
        "/tenants/{t}",
        Action::TenantsUpdate,
        |ask, context| Box::pin(tenants::rename(ask, context)),
        "Rename a tenant",
        (Some("NewTenant"), 200, Some("Tenant")),
    ),
    change(
        Method::POST,
        "/tenants/{t}/leave",
        Action::TenantsLeave,
        |ask, context| Box::pin(tenants::leave(ask, context)),
        "Leave a tenant; the last owner stays",
        (None, 204, None),
    ),
    operator(
        "/tenants/{t}/suspend",
        |ask, context| Box::pin(tenants::suspend(ask, context)),
        "Close a tenant, for the control plane",
        (200, Some("Tenant")),
    ),
    operator(
        "/tenants/{t}/resume",
        |ask, context| Box::pin(tenants::resume(ask, context)),
        "Open a tenant again, for the control plane",
        (200, Some("Tenant")),
    ),
    operator(
        "/users/{user_id}/disable",
        |ask, context| Box::pin(tenants::disable_user(ask, context)),
        "Refuse a user's credentials and close their streams, for the control plane",
        (204, None),
    ),
    operator(
        "/users/{user_id}/enable",
        |ask, context| Box::pin(tenants::enable_user(ask, context)),
        "Let a disabled user back in, for the control plane",
        (204, None),
    ),
    read(
        "/tenants/{t}/members",
        Action::MembersList,
        |ask, context| Box::pin(tenants::members(ask, context)),
        "List a tenant's members",
        PAGE,
        "MemberPage",
    ),
    write(
        "/tenants/{t}/members",
        Action::InvitesManage,
        |ask, context| Box::pin(tenants::add_member(ask, context)),
        "Invite a user by id or address, who is a member once they accept; the answer is the same whoever it is",
        (202, "NewMember", "Invited"),
    ),
    change(
        Method::PATCH,
        "/tenants/{t}/members/{user_id}",
        Action::MembersManage,
        |ask, context| Box::pin(tenants::change_role(ask, context)),
        "Change a member's role; the last owner stays one",
        (Some("NewRole"), 200, Some("Member")),
    ),
    change(
        Method::DELETE,
        "/tenants/{t}/members/{user_id}",
        Action::MembersManage,
        |ask, context| Box::pin(tenants::remove_member(ask, context)),
        "Remove a member; the last owner stays",
        (None, 204, None),
    ),
    read(
        "/tenants/{t}/invites",
        Action::MembersList,
        |ask, context| Box::pin(tenants::invites(ask, context)),
        "List a tenant's invites that wait",
        PAGE,
        "InvitePage",
    ),
    write(
        "/tenants/{t}/invites",
        Action::InvitesManage,
        |ask, context| Box::pin(tenants::invite(ask, context)),
        "Invite somebody; the token is shown this once, and an address gets a mail where there is a mailer",
        (201, "NewInvite", "InviteMade"),
    ),
    change(
        Method::DELETE,
        "/tenants/{t}/invites/{id}",
        Action::InvitesManage,
        |ask, context| Box::pin(tenants::delete_invite(ask, context)),
        "Take an invite back; one that makes an owner, by owners",
        (None, 204, None),
    ),
];
