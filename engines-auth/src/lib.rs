//! engines: auth.
