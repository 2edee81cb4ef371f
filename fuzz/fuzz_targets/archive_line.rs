//! Any bytes as a record of an archive: what is taken is written as it is read, and what is refused is refused without a panic.

#![no_main]

use engines_core::nexus::archive::{Record, Section};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, line)) = bytes.split_first() else { return };
    let section = Section::ALL[usize::from(*first) % Section::ALL.len()];
    if let Ok(record) = Record::read_line(section, line) {
        let mut once = Vec::new();
        record.write_line(&mut once).expect("a record that was read is not written");
        let again = Record::read_line(section, &once).expect("a record is not read as it was written");
        let mut twice = Vec::new();
        again.write_line(&mut twice).expect("a record that was read is not written");
        assert_eq!(once, twice);
    }
});
