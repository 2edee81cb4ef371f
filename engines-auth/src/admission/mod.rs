//! Admission: turns what a request presents into a context, in the order of section 2 of the wire contract, and
//! monitors contexts that stay open.

mod credential;
mod monitor;
mod scope;
mod service;
mod validity;

pub use self::{
    monitor::MonitoredSession,
    service::{Admission, AdmissionBuilder},
};
