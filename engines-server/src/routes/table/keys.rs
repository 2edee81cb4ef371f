//! A tenant's own API keys, and its slots for third-party keys.

use engines::Action;
use http::Method;

use super::builders::{PAGE, change, read, route, write};
use crate::{
    handlers::keys,
    route_info::BodyKind,
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    read(
        "/identity/api-keys",
        Action::ApiKeysList,
        |parts, context| Box::pin(keys::list(parts, context)),
        "List the tenant's API keys, without the keys themselves",
        PAGE,
        "ApiKeyPage",
    ),
    write(
        "/identity/api-keys",
        Action::ApiKeysManage,
        |parts, context| Box::pin(keys::create(parts, context)),
        "Create an API key; it is shown only once",
        (201, "NewApiKey", "ApiKeyMade"),
    ),
    route(
        Method::POST,
        "/identity/api-keys/{id}/rotate",
        Endpoint::Action(Action::ApiKeysManage, |parts, context| Box::pin(keys::rotate(parts, context))),
        "Replace an API key by a new one, which is shown only once",
        &[],
        (BodyKind::OptionalJson, Some("RotateApiKey")),
        (200, Some("ApiKeyMade")),
    ),
    change(
        Method::DELETE,
        "/identity/api-keys/{id}",
        Action::ApiKeysManage,
        |parts, context| Box::pin(keys::revoke(parts, context)),
        "Revoke an API key, and close the streams opened with it",
        (None, 204, None),
    ),
    read(
        "/identity/keys",
        Action::KeySlotsList,
        |parts, context| Box::pin(keys::list_slots(parts, context)),
        "List the filled slots for third-party secrets",
        PAGE,
        "KeySlotPage",
    ),
    read(
        "/identity/keys/{slot}",
        Action::KeySlotsList,
        |parts, context| Box::pin(keys::read_slot(parts, context)),
        "Get a slot, without its secret",
        &[],
        "KeySlot",
    ),
    change(
        Method::PUT,
        "/identity/keys/{slot}",
        Action::KeySlotsManage,
        |parts, context| Box::pin(keys::set_slot(parts, context)),
        "Store a third-party secret in a slot, for use by the engine only",
        (Some("NewSlotSecret"), 200, Some("KeySlot")),
    ),
    change(
        Method::DELETE,
        "/identity/keys/{slot}",
        Action::KeySlotsManage,
        |parts, context| Box::pin(keys::delete_slot(parts, context)),
        "Empty a slot",
        (None, 204, None),
    ),
];
