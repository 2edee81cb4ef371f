//! The SQLite backend: the contract, and what goes beyond it.
#![cfg(feature = "sqlite")]

#[cfg(test)]
mod backup;
#[cfg(test)]
mod buckets;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod erasure;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod model;
#[cfg(test)]
mod open;
#[cfg(test)]
mod start;
#[cfg(test)]
mod store;
