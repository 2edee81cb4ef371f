//! What a handler is given: a request that has passed the stack.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use engines::{
    Code, Engine, Error, ResourceId, Result, TenantId, Trace, UserId,
    auth::{Identity, identity::Caller},
    core::{json, nexus::PageRequest},
};
use http::{HeaderMap, header};
use hyper::upgrade::OnUpgrade;
use serde::de::DeserializeOwned;

use crate::{
    app::App,
    body_stream::BodyStream,
    query::{self, Query},
    routes::{Params, Route},
};

/// A request on its way to its handler.
pub(crate) struct RequestParts {
    pub(crate) app: App,
    pub(crate) route: &'static Route,
    pub(crate) params: Params,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// Looked over already, where the route takes JSON.
    pub(crate) body: Bytes,
    /// The request's ids.
    pub(crate) trace: Trace,
    /// Where it comes from, as far as that can be believed.
    pub(crate) address: Option<Arc<str>>,
    /// The body as it arrives, where the route takes lines.
    pub(crate) body_stream: Option<BodyStream>,
    /// How the connection leaves HTTP, where it can.
    pub(crate) upgrade: Option<Upgrade>,
}

/// How a connection leaves HTTP.
pub(crate) enum Upgrade {
    /// It is one of our own listener's, which takes it over.
    Own,
    /// Somebody else's: hyper hands it over once the answer is sent.
    Hyper(OnUpgrade),
}

impl RequestParts {
    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        self.app.engine()
    }

    /// The users and tenants that are kept here.
    ///
    /// # Errors
    /// `NOT_FOUND` where none are.
    pub(crate) fn identity(&self) -> Result<&Identity> {
        let none = || Error::new(Code::NotFound, self.route.name(), "no users and tenants are kept here");
        self.engine().identity().ok_or_else(none)
    }

    /// Where the call comes from.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller {
            address: self.address.as_deref(),
            user_agent: self.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()),
            trace: &self.trace,
        }
    }

    /// The tenant that the path names.
    pub(crate) fn tenant_id(&self) -> Result<TenantId> {
        TenantId::new(self.param("t")?)
    }

    /// The user that the path names.
    pub(crate) fn user_id(&self) -> Result<UserId> {
        UserId::new(self.param("user_id")?)
    }

    /// A path parameter, decoded.
    pub(crate) fn param(&self, name: &'static str) -> Result<Cow<'_, str>> {
        let raw = self.params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        query::decode_segment(name, raw)
    }

    /// A path parameter that is an id.
    pub(crate) fn resource_id(&self, name: &'static str) -> Result<ResourceId> {
        ResourceId::new(self.param(name)?)
    }

    /// The body as a `T`.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        // The stack has looked it over; only a refusal needs more than the plain decoder.
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(_) => json::decode(&self.body, self.engine().limits(), self.route.name()),
        }
    }

    /// The idempotency key: the header's, or the body's.
    ///
    /// # Errors
    /// `CONTEXT_MISMATCH` when both are there and differ.
    pub(crate) fn idempotency_key(&self, of_body: Option<String>) -> Result<Option<String>> {
        let mut key = of_body;
        for value in self.headers.get_all("idempotency-key") {
            let named = value.to_str().map_err(|_| {
                Error::invalid_body(self.route.name(), "Idempotency-Key", "the header must be visible ASCII characters")
            })?;
            match &key {
                Some(known) if known != named => {
                    let detail = "the header Idempotency-Key and the body's idempotency_key differ";
                    return Err(Error::new(Code::ContextMismatch, self.route.name(), detail)
                        .with_member("field", "idempotency_key"));
                }
                Some(_) => {}
                None => key = Some(named.to_owned()),
            }
        }
        Ok(key)
    }

    /// `?limit=`, at least 1 and at most the limit `page_max`.
    pub(crate) fn page_limit(&self) -> Result<usize> {
        let limits = self.engine().limits();
        let Some(limit) = self.query.number("limit")? else { return Ok(limits.page_default) };
        usize::try_from(limit).ok().filter(|limit| (1..=limits.page_max).contains(limit)).ok_or_else(|| {
            Error::invalid_body(self.route.name(), "limit", format!("limit must be from 1 to {}", limits.page_max))
        })
    }

    /// `?limit=` and `?after=`.
    pub(crate) fn page(&self) -> Result<PageRequest> {
        let limit = self.page_limit()?;
        Ok(match self.query.single("after")? {
            Some(after) => PageRequest::after(limit, after),
            None => PageRequest::first(limit),
        })
    }

    /// A query parameter that is `true` or `false`; false if it is absent.
    ///
    /// # Errors
    /// `BODY_INVALID` for anything else.
    pub(crate) fn query_flag(&self, name: &'static str) -> Result<bool> {
        match self.query.single(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid_body(self.route.name(), name, "it must be true or false")),
        }
    }

    /// A query parameter, owned.
    pub(crate) fn query_text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.query.single(name)?.map(str::to_owned))
    }

    /// A query parameter of a type that checks itself.
    pub(crate) fn parse_query<T: std::str::FromStr<Err = Error>>(&self, name: &str) -> Result<Option<T>> {
        let parsed = self.query.single(name)?.map(str::parse).transpose();
        parsed.map_err(|error: Error| error.with_member("field", name))
    }
}
