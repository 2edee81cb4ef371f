//! The server as a stranger meets it: a process on a port, killed, cut off and restarted while it works.
//!
//! The numbers are small so that the suite stays quick; `BLACKBOX_KILLS=50 BLACKBOX_EVENTS=20000 BLACKBOX_CUTS=100` runs the long form.
#![expect(clippy::unwrap_used, reason = "tests")]

mod backup;
mod batches;
mod client;
mod conflicting_writers;
mod crash;
mod resume;
mod server;

/// A number from the environment, or the default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
