//! Any text in any chunks comes out as the whole does.

#![no_main]

use std::sync::LazyLock;

use engines_pii::Scrubber;
use libfuzzer_sys::fuzz_target;

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

fuzz_target!(|input: (Vec<u8>, &str)| {
    let (sizes, text) = input;
    let Ok(whole) = SCRUBBER.scrub_text(text) else { panic!("a text was refused") };
    let Ok(mut stream) = SCRUBBER.stream() else { panic!("no stream") };
    let (mut out, mut rest) = (String::new(), text.as_bytes());
    let mut sizes = sizes.iter().map(|s| usize::from(*s) + 1).chain(std::iter::repeat(997));
    while !rest.is_empty() {
        let (chunk, more) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        let Ok(some) = stream.push_bytes(chunk) else { panic!("a chunk was refused") };
        out += &some;
        rest = more;
    }
    let Ok((tail, receipt)) = stream.finish() else { panic!("the end was refused") };
    out += &tail;
    assert_eq!(out, *whole.value);
    assert_eq!(receipt.counts, whole.receipt.counts);
});
