//! Tenants, their members and invites, and actions of the control plane on them.

use engines::Action;
use http::Method;

use super::builders::{PAGE, change, operator, read, route, write};
use crate::{
    handlers::tenants,
    route_info::BodyKind,
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    route(
        Method::POST,
        "/tenants",
        Endpoint::Token(|parts, principal| Box::pin(tenants::create(parts, principal))),
        "Create a tenant, with the caller as its first owner",
        &[],
        (BodyKind::Json, Some("NewTenant")),
        (201, Some("Tenant")),
    ),
    route(
        Method::GET,
        "/tenants",
        Endpoint::Operator(|parts, context| Box::pin(tenants::list(parts, context))),
        "List all tenants; for the control plane",
        PAGE,
        (BodyKind::None, None),
        (200, Some("TenantPage")),
    ),
    read(
        "/tenants/{t}",
        Action::TenantsRead,
        |parts, context| Box::pin(tenants::read(parts, context)),
        "Get the caller's tenant",
        &[],
        "Tenant",
    ),
    change(
        Method::PATCH,
        "/tenants/{t}",
        Action::TenantsUpdate,
        |parts, context| Box::pin(tenants::rename(parts, context)),
        "Rename a tenant",
        (Some("NewTenant"), 200, Some("Tenant")),
    ),
    change(
        Method::POST,
        "/tenants/{t}/leave",
        Action::TenantsLeave,
        |parts, context| Box::pin(tenants::leave(parts, context)),
        "Leave a tenant; not possible for its last owner",
        (None, 204, None),
    ),
    operator(
        "/tenants/{t}/suspend",
        |parts, context| Box::pin(tenants::suspend(parts, context)),
        "Suspend a tenant; for the control plane",
        (200, Some("Tenant")),
    ),
    operator(
        "/tenants/{t}/resume",
        |parts, context| Box::pin(tenants::resume(parts, context)),
        "Resume a suspended tenant; for the control plane",
        (200, Some("Tenant")),
    ),
    operator(
        "/users/{user_id}/disable",
        |parts, context| Box::pin(tenants::disable_user(parts, context)),
        "Refuse a user's credentials and close their streams; for the control plane",
        (204, None),
    ),
    operator(
        "/users/{user_id}/enable",
        |parts, context| Box::pin(tenants::enable_user(parts, context)),
        "Accept the credentials of a disabled user again; for the control plane",
        (204, None),
    ),
    read(
        "/tenants/{t}/members",
        Action::MembersList,
        |parts, context| Box::pin(tenants::members(parts, context)),
        "List a tenant's members",
        PAGE,
        "MemberPage",
    ),
    write(
        "/tenants/{t}/members",
        Action::InvitesManage,
        |parts, context| Box::pin(tenants::add_member(parts, context)),
        "Invite a user by id or address, who becomes a member by accepting; the response is the same for every user",
        (202, "NewMember", "Invited"),
    ),
    change(
        Method::PATCH,
        "/tenants/{t}/members/{user_id}",
        Action::MembersManage,
        |parts, context| Box::pin(tenants::change_role(parts, context)),
        "Change a member's role; not possible for the last owner",
        (Some("NewRole"), 200, Some("Member")),
    ),
    change(
        Method::DELETE,
        "/tenants/{t}/members/{user_id}",
        Action::MembersManage,
        |parts, context| Box::pin(tenants::remove_member(parts, context)),
        "Remove a member; not possible for the last owner",
        (None, 204, None),
    ),
    read(
        "/tenants/{t}/invites",
        Action::MembersList,
        |parts, context| Box::pin(tenants::invites(parts, context)),
        "List the open invites of a tenant",
        PAGE,
        "InvitePage",
    ),
    write(
        "/tenants/{t}/invites",
        Action::InvitesManage,
        |parts, context| Box::pin(tenants::invite(parts, context)),
        "Create an invite; the token is shown only once, and an address gets a mail if there is a mailer",
        (201, "NewInvite", "InviteMade"),
    ),
    change(
        Method::DELETE,
        "/tenants/{t}/invites/{id}",
        Action::InvitesManage,
        |parts, context| Box::pin(tenants::delete_invite(parts, context)),
        "Delete an invite; only owners can delete an invite that makes an owner",
        (None, 204, None),
    ),
];
