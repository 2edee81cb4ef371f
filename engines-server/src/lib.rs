//! The HTTP interface of `engines`: JSON, server-sent events and WebSocket. It contains no rules of the services.
//!
//! A request takes these steps, in one direction: [`listen`] → [`App::handle`] (the pipeline: limits, trace, deadline,
//! admission) → the access rule of the route → its handler (decode, one call, encode) → a service of [`engines`].
//!
//! [`App`] needs no listener. It implements [`hyper::service::Service`] and `tower_service::Service`, so that you can
//! mount it in your own HTTP service, for instance in an axum router (`examples/embed_in_axum.rs`).

mod app;
mod body;
mod body_intake;
mod body_stream;
#[cfg(feature = "cli")]
pub mod cli;
mod client_addr;
#[cfg(feature = "cli")]
pub mod config;
mod connection;
mod connection_info;
mod cors;
mod deadline_io;
#[cfg(feature = "cli")]
mod descriptors;
mod gauge_guard;
mod handlers;
mod handshake;
mod head_timer;
mod limits;
pub mod listen;
#[cfg(feature = "cli")]
pub mod log;
mod media_types;
mod metrics;
pub mod openapi;
mod origin;
mod pipeline;
mod problem;
mod query;
mod quick_start;
mod rate_limit;
mod request;
mod request_rules;
mod response;
mod root_page;
mod route_info;
pub mod routes;
mod security_headers;
mod settings;
mod shutdown;
mod socket_options;
mod state;
mod streaming;
mod throttle;
mod tower;
mod unread_body;

pub use self::{
    app::{App, AppBuilder},
    body::Body,
    connection_info::Peer,
    route_info::Route,
    settings::{BudgetSettings, DeadlineSettings, ForwardedHeader, HttpSettings, OriginError, Origins},
    shutdown::Shutdown,
    throttle::RequestThrottle,
};
