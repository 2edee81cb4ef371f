//! A limit on requests that the owner of the app adds.

use std::fmt;

use engines::{RequestContext, Result, core::access::RateClass};

/// Limits the rate of requests. It is called after admission and before the handler.
pub trait RequestThrottle: Send + Sync + fmt::Debug {
    /// Accepts the request, or refuses it.
    ///
    /// # Errors
    /// Returns `RATE_LIMITED`, with [`Error::retry_after`](engines::Error::retry_after).
    fn check(&self, context: &RequestContext, class: RateClass) -> Result<()>;
}
