//! Any bytes as a tenant archive: they are refused or read, and never more is handed over than was there.

#![no_main]

use engines_storage::archive::{ArchiveLimits, Part, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = ArchiveLimits { total_bytes: 1 << 20, files: 100, records: 10_000 };
    let mut records = 0_u64;
    let found = read(bytes, &limits, |part| {
        if let Part::Records(_, some) = part {
            records += some.len() as u64;
        }
        Ok(())
    });
    if let Ok(manifest) = found {
        let counted: u64 = manifest.counts.values().flat_map(|sections| sections.values()).sum();
        assert_eq!(counted, records, "the manifest counts other records than were handed over");
    }
});
