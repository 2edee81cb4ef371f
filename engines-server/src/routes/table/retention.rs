//! Retention, deletion and the audit log.

use engines::Action;
use http::Method;

use super::{
    builders::{AFTER, LIMIT, change, read, route, text_param, token},
    events::FILTER,
};
use crate::{
    handlers::retention,
    route_info::{BodyKind, QueryParam},
    routes::{Endpoint, RouteEntry},
};

const ENTRIES: &[QueryParam] = &[
    LIMIT,
    AFTER,
    text_param("actor", "Only by this actor"),
    text_param("action", "Only of this action, such as `canvas.delete`"),
    text_param("resource", "Only on this resource, such as `canvas/c1`"),
    text_param("from", "Only at or after this time"),
    text_param("to", "Only before this time"),
];

pub(super) static ROUTES: &[RouteEntry] = &[
    change(
        Method::DELETE,
        "/chat/threads/{id}",
        Action::ChatThreadDelete,
        |parts, context| Box::pin(retention::delete_thread(parts, context)),
        "Delete a thread with all its messages permanently; for its creator and admins",
        (None, 204, None),
    ),
    change(
        Method::DELETE,
        "/canvas/{id}",
        Action::CanvasDelete,
        |parts, context| Box::pin(retention::delete_canvas(parts, context)),
        "Delete a canvas with its whole history permanently; for its creator and admins",
        (None, 204, None),
    ),
    route(
        Method::DELETE,
        "/events",
        Endpoint::Action(Action::EventDelete, |parts, context| Box::pin(retention::delete_events(parts, context))),
        "Delete the matching recorded events permanently; all of them without a filter",
        FILTER,
        (BodyKind::None, None),
        (200, Some("DeletedEvents")),
    ),
    read(
        "/retention",
        Action::RetentionRead,
        |parts, context| Box::pin(retention::policy(parts, context)),
        "The retention policy of the tenant",
        &[],
        "RetentionDocument",
    ),
    route(
        Method::PUT,
        "/retention",
        Endpoint::Action(Action::RetentionManage, |parts, context| Box::pin(retention::set_policy(parts, context))),
        "Replace the retention policy of the tenant; older data is removed in the background",
        &[],
        (BodyKind::Json, Some("NewRetention")),
        (200, Some("RetentionDocument")),
    ),
    read(
        "/audit/entries",
        Action::AuditRead,
        |parts, context| Box::pin(retention::audit_entries(parts, context)),
        "The audit log, oldest first",
        ENTRIES,
        "AuditEntryPage",
    ),
    route(
        Method::DELETE,
        "/tenants/{t}",
        Endpoint::Action(Action::TenantsDisable, |parts, context| Box::pin(retention::delete_tenant(parts, context))),
        "Close a tenant for all its members; with `purge=true`, remove it with all its data after the grace period",
        &[text_param(
            "purge",
            "`true` to remove it; the control plane or an owner can cancel the removal until `purge_at`",
        )],
        (BodyKind::None, None),
        (200, Some("Tenant")),
    ),
    token(
        Method::DELETE,
        "/auth/purges/{id}",
        |parts, principal| Box::pin(retention::cancel_purge(parts, principal)),
        "Cancel the removal of a tenant and open it again; for its owners",
        (200, Some("Tenant")),
    ),
];
