//! Rows that look alike, said in one line each.

use std::sync::Arc;

use engines::{Action, Principal, RequestContext};
use http::Method;

use crate::{
    ask::Ask,
    routes::{Answer, BodyKind, Doc, Endpoint, OwnHeaders, Param, Route},
};

type Handler = fn(Ask, RequestContext) -> Answer;

pub(super) const LIMIT: Param =
    Param { name: "limit", number: true, text: "Items at the most, from 1 to 500; 50 if absent" };
pub(super) const AFTER: Param = Param { name: "after", number: false, text: "The `next` of the page before" };
pub(super) const PAGE: &[Param] = &[LIMIT, AFTER];

pub(super) const fn text(name: &'static str, text: &'static str) -> Param {
    Param { name, number: false, text }
}

pub(super) const fn number(name: &'static str, text: &'static str) -> Param {
    Param { name, number: true, text }
}

const FOLLOW: &[Param] = &[
    text("cursor", "Resume behind this cursor; `Last-Event-ID` does the same and wins"),
    text("from", "`start` for the whole log, `live` (as if absent) for what comes"),
    text("channels", "Of commits, artifacts, gestures; commits,artifacts if absent"),
];

pub(super) const fn public(
    path: &'static str,
    handler: fn(Ask) -> Answer,
    summary: &'static str,
    response: Option<&'static str>,
) -> Route {
    let doc =
        Doc { summary, query: &[], request: None, status: 200, response, media_type: None, headers: OwnHeaders::NONE };
    Route { method: Method::GET, path, endpoint: Endpoint::Public(handler), body: BodyKind::None, stream: false, doc }
}

pub(super) const fn read(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    query: &'static [Param],
    response: &'static str,
) -> Route {
    let doc = Doc {
        summary,
        query,
        request: None,
        status: 200,
        response: Some(response),
        media_type: None,
        headers: OwnHeaders::NONE,
    };
    let endpoint = Endpoint::Action(action, handler);
    Route { method: Method::GET, path, endpoint, body: BodyKind::None, stream: false, doc }
}

pub(super) const fn write(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> Route {
    let doc = Doc {
        summary,
        query: &[],
        request: Some(request),
        status,
        response: Some(response),
        media_type: None,
        headers: OwnHeaders::NONE,
    };
    let endpoint = Endpoint::Action(action, handler);
    Route { method: Method::POST, path, endpoint, body: BodyKind::Json, stream: false, doc }
}

pub(super) const fn stream(
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (status, media_type): (u16, &'static str),
) -> Route {
    let doc = Doc {
        summary,
        query: FOLLOW,
        request: None,
        status,
        response: None,
        media_type: Some(media_type),
        headers: OwnHeaders::NONE,
    };
    let endpoint = Endpoint::Action(action, handler);
    Route { method: Method::GET, path, endpoint, body: BodyKind::None, stream: true, doc }
}

/// Any row.
pub(super) const fn row(
    method: Method,
    path: &'static str,
    endpoint: Endpoint,
    summary: &'static str,
    query: &'static [Param],
    (body, request): (BodyKind, Option<&'static str>),
    (status, response): (u16, Option<&'static str>),
) -> Route {
    let doc = Doc { summary, query, request, status, response, media_type: None, headers: OwnHeaders::NONE };
    Route { method, path, endpoint, body, stream: false, doc }
}

/// Something said by anybody.
pub(super) const fn open(
    path: &'static str,
    handler: fn(Ask) -> Answer,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> Route {
    let body = (BodyKind::Json, Some(request));
    row(Method::POST, path, Endpoint::Public(handler), summary, &[], body, (status, Some(response)))
}

/// Something said by anybody, perhaps with a token.
pub(super) const fn guest(
    path: &'static str,
    handler: fn(Ask, Option<Arc<Principal>>) -> Answer,
    summary: &'static str,
    (status, request, response): (u16, &'static str, &'static str),
) -> Route {
    let body = (BodyKind::Json, Some(request));
    row(Method::POST, path, Endpoint::Guest(handler), summary, &[], body, (status, Some(response)))
}

/// About oneself, without a body.
pub(super) const fn token(
    method: Method,
    path: &'static str,
    handler: fn(Ask, Arc<Principal>) -> Answer,
    summary: &'static str,
    answer: (u16, Option<&'static str>),
) -> Route {
    row(method, path, Endpoint::Token(handler), summary, &[], (BodyKind::None, None), answer)
}

/// An order of the control plane's, without a body.
pub(super) const fn operator(
    path: &'static str,
    handler: Handler,
    summary: &'static str,
    answer: (u16, Option<&'static str>),
) -> Route {
    row(Method::POST, path, Endpoint::Operator(handler), summary, &[], (BodyKind::None, None), answer)
}

/// A change to something that is there.
pub(super) const fn change(
    method: Method,
    path: &'static str,
    action: Action,
    handler: Handler,
    summary: &'static str,
    (request, status, response): (Option<&'static str>, u16, Option<&'static str>),
) -> Route {
    let body = match request {
        Some(_) => BodyKind::Json,
        None => BodyKind::None,
    };
    row(method, path, Endpoint::Action(action, handler), summary, &[], (body, request), (status, response))
}
