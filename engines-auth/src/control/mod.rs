//! Limits for one caller: requests by rate class, and open streams.

mod open_streams;
mod rates;
mod settings;

pub use self::{
    open_streams::{OpenStreams, StreamPermit},
    rates::Rates,
    settings::{ClassRates, RateSettings},
};
