//! The request as a handler gets it, after all steps of the pipeline.

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
    body_stream::BodyStream,
    query::{self, Query},
    route_info::{Params, Route},
    state::AppState,
};

/// The parts of a request for its handler.
pub(crate) struct RequestParts {
    pub(crate) state: Arc<AppState>,
    pub(crate) route: &'static Route,
    pub(crate) params: Params,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// The body, which is already checked if the route takes JSON.
    pub(crate) body: Bytes,
    /// The ids of the request.
    pub(crate) trace: Trace,
    /// The client's address, as far as it can be trusted.
    pub(crate) address: Option<Arc<str>>,
    /// The body as it arrives, if the route takes lines.
    pub(crate) body_stream: Option<BodyStream>,
    /// How the connection can be upgraded, if it can.
    pub(crate) upgrade: Option<Upgrade>,
}

/// How a connection is upgraded.
pub(crate) enum Upgrade {
    /// The connection belongs to the server's own listener, which takes it over.
    Own,
    /// The connection belongs to another HTTP service. hyper hands it over once the response is sent.
    Hyper(OnUpgrade),
}

impl RequestParts {
    /// Returns the engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.state.engine
    }

    /// Returns the service for users and tenants.
    ///
    /// # Errors
    /// Returns `NOT_FOUND` when the engine has no such service.
    pub(crate) fn identity(&self) -> Result<&Identity> {
        let none = || Error::new(Code::NotFound, self.route.name(), "this deployment manages no users and tenants");
        self.engine().identity().ok_or_else(none)
    }

    /// Returns the address and the ids of the caller.
    pub(crate) fn caller(&self) -> Caller<'_> {
        Caller {
            address: self.address.as_deref(),
            user_agent: self.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()),
            trace: &self.trace,
        }
    }

    /// Returns the tenant in the path.
    pub(crate) fn tenant_id(&self) -> Result<TenantId> {
        TenantId::new(self.param("t")?)
    }

    /// Returns the user in the path.
    pub(crate) fn user_id(&self) -> Result<UserId> {
        UserId::new(self.param("user_id")?)
    }

    /// Returns a decoded path parameter.
    pub(crate) fn param(&self, name: &'static str) -> Result<Cow<'_, str>> {
        let raw = self.params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        query::decode_segment(name, raw)
    }

    /// Returns a path parameter that is an id.
    pub(crate) fn resource_id(&self, name: &'static str) -> Result<ResourceId> {
        ResourceId::new(self.param(name)?)
    }

    /// Decodes the body as a `T`.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        // The pipeline has checked the body, so the plain decoder is enough. Only an error needs the other one.
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(_) => json::decode(&self.body, self.engine().limits(), self.route.name()),
        }
    }

    /// Returns the idempotency key of the header or the body.
    ///
    /// # Errors
    /// Returns `CONTEXT_MISMATCH` when both are present and differ.
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

    /// Returns `?limit=`, at least 1 and at most the limit `page_max`.
    pub(crate) fn page_limit(&self) -> Result<usize> {
        let limits = self.engine().limits();
        let Some(limit) = self.query.number("limit")? else { return Ok(limits.page_default) };
        usize::try_from(limit).ok().filter(|limit| (1..=limits.page_max).contains(limit)).ok_or_else(|| {
            Error::invalid_body(self.route.name(), "limit", format!("limit must be from 1 to {}", limits.page_max))
        })
    }

    /// Returns `?limit=` and `?after=`.
    pub(crate) fn page(&self) -> Result<PageRequest> {
        let limit = self.page_limit()?;
        Ok(match self.query.single("after")? {
            Some(after) => PageRequest::after(limit, after),
            None => PageRequest::first(limit),
        })
    }

    /// Returns a query parameter that is `true` or `false`, and false if it is absent.
    ///
    /// # Errors
    /// Returns `BODY_INVALID` for any other value.
    pub(crate) fn query_flag(&self, name: &'static str) -> Result<bool> {
        match self.query.single(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid_body(self.route.name(), name, "the parameter must be true or false")),
        }
    }

    /// Returns a query parameter as an owned text.
    pub(crate) fn query_text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.query.single(name)?.map(str::to_owned))
    }

    /// Parses a query parameter.
    pub(crate) fn parse_query<T: std::str::FromStr<Err = Error>>(&self, name: &str) -> Result<Option<T>> {
        let parsed = self.query.single(name)?.map(str::parse).transpose();
        parsed.map_err(|error: Error| error.with_member("field", name))
    }
}
