//! Builders for common kinds of routes, which keep each route of the table short.

use std::sync::Arc;

use engines::{Action, Principal, RequestContext};
use http::Method;

use crate::{
    request::RequestParts,
    response::HandlerFuture,
    route_info::{BodyKind, ExtraHeaders, QueryParam, RouteDoc},
    routes::{Endpoint, RouteEntry},
};

type Handler = fn(RequestParts, RequestContext) -> HandlerFuture;

pub(super) const LIMIT: QueryParam =
    QueryParam { name: "limit", number: true, text: "The largest number of items, from 1 to 500; 50 if absent" };
pub(super) const AFTER: QueryParam =
    QueryParam { name: "after", number: false, text: "The `next` of the previous page" };
pub(super) const PAGE: &[QueryParam] = &[LIMIT, AFTER];

pub(super) const fn text_param(name: &'static str, text: &'static str) -> QueryParam {
    QueryParam { name, number: false, text }
}

pub(super) const fn number_param(name: &'static str, text: &'static str) -> QueryParam {
    QueryParam { name, number: true, text }
}

const FOLLOW: &[QueryParam] = &[
    text_param("cursor", "Resume after this cursor; `Last-Event-ID` has precedence"),
    text_param("from", "`start` for the whole log, `live` (the default) for new events only"),
    text_param("channels", "A list of commits, artifacts, gestures; commits,artifacts if absent"),
];

pub(super) const fn public(
    path: &'static str,
    handler: fn(RequestParts) -> HandlerFuture,
    summary: &'static str,
    response: Option<&'static str>,
) -> RouteEntry {
    let doc = RouteDoc {
        summary,
        query: &[],
        request: None,
        status: 200,
        response,
        media_type: None,
        headers: ExtraHeaders::NONE,
    };
    RouteEntry::new(Method::GET, path, Endpoint::Public(handler), BodyKind::None, doc)
}

pub(super) const fn read(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    query: &'static [QueryParam],
    response: &'static str,
) -> RouteEntry {
    let doc = RouteDoc {
        summary,
        query,
        request: None,
        status: 200,
        response: Some(response),
        media_type: None,
        headers: ExtraHeaders::NONE,
    };
    let endpoint = Endpoint::Action(action, handler);
    RouteEntry::new(Method::GET, path, endpoint, BodyKind::None, doc)
}

pub(super) const fn write(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> RouteEntry {
    let doc = RouteDoc {
        summary,
        query: &[],
        request: Some(request),
        status,
        response: Some(response),
        media_type: None,
        headers: ExtraHeaders::NONE,
    };
    let endpoint = Endpoint::Action(action, handler);
    RouteEntry::new(Method::POST, path, endpoint, BodyKind::Json, doc)
}

pub(super) const fn stream(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (status, media_type): (u16, &'static str),
) -> RouteEntry {
    let doc = RouteDoc {
        summary,
        query: FOLLOW,
        request: None,
        status,
        response: None,
        media_type: Some(media_type),
        headers: ExtraHeaders::NONE,
    };
    let endpoint = Endpoint::Action(action, handler);
    RouteEntry::new(Method::GET, path, endpoint, BodyKind::None, doc).with_stream()
}

/// Builds a route of any kind.
pub(super) const fn route(
    method: Method,
    path: &'static str,
    endpoint: Endpoint,
    summary: &'static str,
    query: &'static [QueryParam],
    (body, request): (BodyKind, Option<&'static str>),
    (status, response): (u16, Option<&'static str>),
) -> RouteEntry {
    let doc = RouteDoc { summary, query, request, status, response, media_type: None, headers: ExtraHeaders::NONE };
    RouteEntry::new(method, path, endpoint, body, doc)
}

/// Builds a `POST` that is open to everybody.
pub(super) const fn public_post(
    path: &'static str,
    handler: fn(RequestParts) -> HandlerFuture,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> RouteEntry {
    let body = (BodyKind::Json, Some(request));
    route(Method::POST, path, Endpoint::Public(handler), summary, &[], body, (status, Some(response)))
}

/// Builds a `POST` that is open to everybody, with an optional token.
pub(super) const fn guest(
    path: &'static str,
    handler: fn(RequestParts, Option<Arc<Principal>>) -> HandlerFuture,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> RouteEntry {
    let body = (BodyKind::Json, Some(request));
    route(Method::POST, path, Endpoint::Guest(handler), summary, &[], body, (status, Some(response)))
}

/// Builds a route about the caller, without a body.
pub(super) const fn token(
    method: Method,
    path: &'static str,
    handler: fn(RequestParts, Arc<Principal>) -> HandlerFuture,
    summary: &'static str,
    answer: (u16, Option<&'static str>),
) -> RouteEntry {
    route(method, path, Endpoint::Token(handler), summary, &[], (BodyKind::None, None), answer)
}

/// Builds a route of the control plane, without a body.
pub(super) const fn operator(
    path: &'static str,
    handler: Handler,
    summary: &'static str,
    answer: (u16, Option<&'static str>),
) -> RouteEntry {
    route(Method::POST, path, Endpoint::Operator(handler), summary, &[], (BodyKind::None, None), answer)
}

/// Builds a route that changes an existing resource.
pub(super) const fn change(
    method: Method,
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (request, status, response): (Option<&'static str>, u16, Option<&'static str>),
) -> RouteEntry {
    let body = match request {
        Some(_) => BodyKind::Json,
        None => BodyKind::None,
    };
    route(method, path, Endpoint::Action(action, handler), summary, &[], (body, request), (status, response))
}
