//! engines over HTTP, SSE and WebSocket: knows HTTP and nothing else.
//!
//! The way of a request, one direction: [`listen`] → [`App::handle`] (the stack: limits, trace, deadline, door) → the route's
//! policy → its handler (decode, one call, encode) → a service of [`engines`].
//!
//! [`App`] needs no listener: it is a [`hyper::service::Service`], to be mounted in an HTTP service of one's own.

mod address;
mod app;
mod ask;
mod body;
mod body_intake;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
mod connection;
mod cors;
#[cfg(feature = "cli")]
mod descriptors;
mod guarded_io;
mod handlers;
mod handshake;
mod head_timer;
mod limits;
pub mod listen;
mod live;
#[cfg(feature = "cli")]
pub mod log;
mod metrics;
pub mod openapi;
mod origin;
mod pieces;
mod problem;
mod query;
mod rate_limit;
mod reply;
mod request_rules;
pub mod routes;
mod security_headers;
mod settings;
mod shutdown;
mod stack;
mod unread_body;

pub use self::{
    address::{ForwardedHeader, Peer},
    app::{App, AppBuilder},
    body::Body,
    limits::{BudgetSettings, DeadlineSettings},
    origin::{OriginFault, Origins},
    routes::Route,
    settings::HttpSettings,
    shutdown::Shutdown,
    stack::Throttle,
};
