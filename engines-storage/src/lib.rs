//! engines: storage.
