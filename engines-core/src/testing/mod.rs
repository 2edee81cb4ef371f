//! The test kit: test contexts, a clock that tests control, and repeatable ids. It is behind the feature `testing`;
//! never enable it in production.

mod kit;

pub use self::kit::{ManualClock, context, context_in, scope};
