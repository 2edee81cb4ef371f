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
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
mod connection;
mod handlers;
mod head_timer;
pub mod listen;
mod live;
#[cfg(feature = "cli")]
pub mod log;
mod metrics;
pub mod openapi;
mod pieces;
mod problem;
mod query;
mod reply;
pub mod routes;
mod settings;
mod shutdown;
mod stack;

pub use self::{
    address::{ForwardedHeader, Peer},
    app::{App, AppBuilder},
    body::Body,
    routes::Route,
    settings::HttpSettings,
    shutdown::Shutdown,
    stack::Throttle,
};
