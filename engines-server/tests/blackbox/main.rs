//! The server as a process on a port, which is killed, cut off and restarted while it works.
//!
//! The numbers are small to keep the suite short. `BLACKBOX_KILLS=50 BLACKBOX_EVENTS=20000 BLACKBOX_CUTS=100` runs the
//! long form.
#![expect(clippy::unwrap_used, reason = "tests")]

mod backup;
mod batches;
mod client;
mod conflicting_writers;
mod crash;
mod resume;
mod server;

/// Returns a number from the environment, or the default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
