//! engines: stream.
