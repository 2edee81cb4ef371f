//! A route with its handler.

use std::{fmt, sync::Arc};

use engines::{Action, Principal, RequestContext};
use http::Method;

use crate::{
    request::RequestParts,
    response::HandlerFuture,
    route_info::{BodyKind, ExtraHeaders, Route, RouteAccess, RouteDoc, WorkClass},
};

/// A route with its handler.
pub(crate) struct RouteEntry {
    pub(crate) route: Route,
    pub(crate) endpoint: Endpoint,
}

/// A handler with its access rule. The types ensure that a handler gets a context only after admission.
#[derive(Clone, Copy)]
pub(crate) enum Endpoint {
    /// Open to everybody.
    Public(fn(RequestParts) -> HandlerFuture),
    /// Open to everybody. A credential that is sent must be valid.
    Guest(fn(RequestParts, Option<Arc<Principal>>) -> HandlerFuture),
    /// Open to callers with a valid credential, whatever the tenant.
    Token(fn(RequestParts, Arc<Principal>) -> HandlerFuture),
    /// Open to admins of the control plane's tenant.
    Operator(fn(RequestParts, RequestContext) -> HandlerFuture),
    /// Open to callers that are admitted and have the least role of the action.
    Action(Action, fn(RequestParts, RequestContext) -> HandlerFuture),
}

impl Endpoint {
    const fn access(&self) -> RouteAccess {
        match self {
            Self::Public(_) => RouteAccess::Public,
            Self::Guest(_) => RouteAccess::Guest,
            Self::Token(_) => RouteAccess::Token,
            Self::Operator(_) => RouteAccess::Operator,
            Self::Action(action, _) => RouteAccess::Action(*action),
        }
    }
}

impl RouteEntry {
    /// Creates a route with a handler. Its access rule is that of the handler.
    pub(super) const fn new(
        method: Method,
        path: &'static str,
        endpoint: Endpoint,
        body: BodyKind,
        doc: RouteDoc,
    ) -> Self {
        let access = endpoint.access();
        let work = WorkClass::General;
        Self { route: Route { method, path, access, body, work, stream: false, ends_sessions: false, doc }, endpoint }
    }

    /// Returns the route with its own headers.
    pub(super) const fn with_headers(
        mut self,
        request: &'static [&'static str],
        answer: &'static [&'static str],
    ) -> Self {
        self.route.doc.headers = ExtraHeaders { request, answer };
        self
    }

    /// Returns the route with the budget `work`.
    pub(super) const fn with_work(mut self, work: WorkClass) -> Self {
        self.route.work = work;
        self
    }

    /// Returns the route with another media type of its response than JSON.
    pub(super) const fn with_media_type(mut self, media_type: &'static str) -> Self {
        self.route.doc.media_type = Some(media_type);
        self
    }

    /// Returns the route as one that ends sessions.
    pub(super) const fn ending_sessions(mut self) -> Self {
        self.route.ends_sessions = true;
        self
    }

    /// Returns the route as one that opens a stream.
    pub(super) const fn with_stream(mut self) -> Self {
        self.route.stream = true;
        self
    }
}

impl fmt::Debug for RouteEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.route.fmt(f)
    }
}
