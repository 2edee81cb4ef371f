//! The begin of a scan.

use super::rescan::rescan_before;
use crate::scan::cue::Cues;
use crate::scan::deny_list::DenyList;
use crate::scan::findings::FindingList;
use crate::scan::{Scan, ScannerCalls};

static CALLS: ScannerCalls = ScannerCalls { run: |scan| scan.run(), rescan_before };

/// Begins a scan of `bytes` that adds what it finds to `findings`. `hint` are the cues of the text's key.
#[inline]
pub(crate) fn begin_scan<'a>(
    bytes: &'a [u8],
    hint: Cues,
    deny: Option<&'a DenyList>,
    findings: &'a mut FindingList,
) -> Scan<'a> {
    Scan::new(bytes, hint, deny, findings, &CALLS)
}
