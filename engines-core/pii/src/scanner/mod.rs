//! The scanner: one pass over the bytes that calls the rules.

#[cfg(test)]
mod complexity;
mod dispatch;
mod entry;
mod rescan;

pub(crate) use entry::begin_scan;
