//! Limits for one caller: requests by rate class, and open streams.

mod open_streams;
mod request_limiter;
mod settings;

pub use self::{
    open_streams::{OpenStreams, StreamPermit},
    request_limiter::RequestLimiter,
    settings::{ClassRates, RateSettings},
};
