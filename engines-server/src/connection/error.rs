//! The result of serving a connection.

/// The result of serving a connection. Its error is logged.
pub(super) type ServeResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
