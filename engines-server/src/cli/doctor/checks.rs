//! The list of checks.

use super::{
    canvases::Canvases,
    check::Check,
    data::{ClockAgainstData, Integrity, Log},
    files::{Descriptors, FreeSpace, Modes},
    keys::RootKeyMatches,
    settings::SettingsAgree,
};

/// Every check, in the order in which they run: cheap ones first.
pub(super) const CHECKS: [&dyn Check; 9] =
    [&SettingsAgree, &Descriptors, &Modes, &FreeSpace, &Log, &RootKeyMatches, &Integrity, &ClockAgainstData, &Canvases];
