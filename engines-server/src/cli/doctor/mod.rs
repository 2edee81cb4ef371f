//! `doctor`: looks a deployment over, and says what is wrong and what to do. It changes nothing, and works beside a running server.
//!
//! Each [`DoctorCheck`](check::Check) is one struct; [`CHECKS`](checks::CHECKS) is the list of them, in the order in which they run. A check that needs more than a store to read, such
//! as one that proves the isolation of two throwaway tenants against a running server, is one more struct in that list.

mod canvases;
mod check;
mod checks;
mod data;
mod files;
mod keys;
mod report;
mod run;
mod settings;

pub(super) use self::run::run;
