//! `doctor`: checks a deployment and advises what to do about problems. It changes nothing, and works beside a running
//! server.
//!
//! Each [`DoctorCheck`](check::DoctorCheck) is one struct. [`CHECKS`](checks::CHECKS) lists them in the order in which
//! they run.

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
