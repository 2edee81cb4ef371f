//! The settings of HTTP.

mod http;
mod limits;
mod origins;
mod proxies;

pub(crate) use self::origins::{default_port, split_port};
pub use self::{
    http::HttpSettings,
    limits::{BudgetSettings, DeadlineSettings},
    origins::{OriginError, Origins},
    proxies::ForwardedHeader,
};
