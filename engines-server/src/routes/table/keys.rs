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
        |ask, context| Box::pin(keys::list(ask, context)),
        "List the tenant's API keys, without the keys themselves",
        PAGE,
        "ApiKeyPage",
    ),
    write(
        "/identity/api-keys",
        Action::ApiKeysManage,
        |ask, context| Box::pin(keys::create(ask, context)),
        "Create an API key; it is shown only once",
        (201, "NewApiKey", "ApiKeyMade"),
    ),
    route(
        Method::POST,
        "/identity/api-keys/{id}/rotate",
        Endpoint::Action(Action::ApiKeysManage, |ask, context| Box::pin(keys::rotate(ask, context))),
        "Replace an API key by a new one, which is shown only once",
        &[],
        (BodyKind::OptionalJson, Some("RotateApiKey")),
        (200, Some("ApiKeyMade")),
    ),
    change(
        Method::DELETE,
        "/identity/api-keys/{id}",
        Action::ApiKeysManage,
        |ask, context| Box::pin(keys::revoke(ask, context)),
        "Revoke an API key, and close the streams opened with it",
        (None, 204, None),
    ),
    read(
        "/identity/keys",
        Action::KeySlotsList,
        |ask, context| Box::pin(keys::list_slots(ask, context)),
        "List the filled slots for third-party secrets",
        PAGE,
        "KeySlotPage",
    ),
    read(
        "/identity/keys/{slot}",
        Action::KeySlotsList,
        |ask, context| Box::pin(keys::read_slot(ask, context)),
        "Get a slot, without its secret",
        &[],
        "KeySlot",
    ),
    change(
        Method::PUT,
        "/identity/keys/{slot}",
        Action::KeySlotsManage,
        |ask, context| Box::pin(keys::set_slot(ask, context)),
        "Store a third-party secret in a slot, for use by the engine only",
        (Some("NewSlotSecret"), 200, Some("KeySlot")),
    ),
    change(
        Method::DELETE,
        "/identity/keys/{slot}",
        Action::KeySlotsManage,
        |ask, context| Box::pin(keys::delete_slot(ask, context)),
        "Empty a slot",
        (None, 204, None),
    ),
];
