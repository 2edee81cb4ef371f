//! The list of checks.

use super::{
    canvases::StoredCanvasCheck,
    check::DoctorCheck,
    data::{ClockCheck, IntegrityCheck, WalSizeCheck},
    files::{DescriptorCheck, FileModeCheck, FreeSpaceCheck},
    keys::RootKeyCheck,
    settings::SettingsCheck,
};

/// All checks, in the order in which they run: cheap checks first.
pub(super) const CHECKS: [&dyn DoctorCheck; 9] = [
    &SettingsCheck,
    &DescriptorCheck,
    &FileModeCheck,
    &FreeSpaceCheck,
    &WalSizeCheck,
    &RootKeyCheck,
    &IntegrityCheck,
    &ClockCheck,
    &StoredCanvasCheck,
];
