//! The SQLite store: the conformance suite, and what is specific to the store.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod backup;
#[cfg(test)]
mod buckets;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod idempotency_keys;
#[cfg(test)]
mod model;
#[cfg(test)]
mod open;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod startup_checks;
#[cfg(test)]
mod store;
