//! A test kit: contexts out of thin air, a clock one sets, ids that repeat. Behind the feature `testing`; never enable it in production.

mod kit;

pub use self::kit::{ManualClock, context, context_in, scope};
