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
mod cors;
mod deadline_io;
#[cfg(feature = "cli")]
mod descriptors;
mod handlers;
mod handshake;
mod head_timer;
mod limits;
pub mod listen;
#[cfg(feature = "cli")]
pub mod log;
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
pub mod routes;
mod security_headers;
mod settings;
mod shutdown;
mod socket_options;
mod streaming;
mod tower;
mod unread_body;

pub use self::{
    app::{App, AppBuilder},
    body::Body,
    client_addr::{ForwardedHeader, Peer},
    limits::{BudgetSettings, DeadlineSettings},
    origin::{OriginError, Origins},
    pipeline::RequestThrottle,
    routes::Route,
    settings::HttpSettings,
    shutdown::Shutdown,
};
