//! The SQLite backend, beyond what every backend is tested for.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod kit;
#[cfg(test)]
mod open;
#[cfg(test)]
mod store;
