//! engines: core.
