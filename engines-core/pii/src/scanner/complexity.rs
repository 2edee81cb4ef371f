//! Tests that the work is proportional to the length of the text, for any text.

use super::begin_scan;
use crate::scan::findings::FindingList;

/// Texts that make rules examine the most, each repeated.
const HOSTILE_UNITS: [&str; 43] = [
    "a.a.a.a.",
    "a@",
    "@",
    "a@b.",
    "1 ",
    "1.",
    "12 34 ",
    "0123 456 789 0 ",
    "4111 1111 1111 1112 ",
    "123-45-",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN ",
    "password ",
    "password=",
    "password is ",
    "secret: ",
    "key=\"",
    "a1:b2:c3:",
    "::",
    "://a:b",
    "sk-sk-sk-",
    "ghp_",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJ",
    "born on ",
    "12 Oak Hill ",
    "Via A ",
    "name (at) ",
    "a at b dot ",
    "password=a::",
    "password=ab()",
    "token=aaaa,",
    "secret=aaaaaaaaaaa:",
    "apikey=0123456789abcdef",
    "bearer aaaa1111aaaa1111.",
    "basic=a",
    "bearer=a",
    "[EMAIL_ADDRESS:a",
    "[A:aaaaaaa",
    "[AAAA",
    "Basic a",
    "電話",
    "\\",
];

fn bytes_examined(text: &str) -> u64 {
    let mut hits = FindingList::new();
    let mut scan = begin_scan(text.as_bytes(), 0, None, &mut hits);
    scan.run();
    scan.examined.get()
}

#[test]
fn bytes_examined_grow_linearly_with_the_text() {
    for unit in HOSTILE_UNITS {
        let n = 16 * 1024;
        let (once, twice) =
            (bytes_examined(&unit.repeat(n / unit.len())), bytes_examined(&unit.repeat(2 * n / unit.len())));
        assert!(twice <= 2 * once + once / 4 + 4096, "{unit:?}: {once} for {n} bytes, {twice} for twice as many");
        assert!(once <= 120 * n as u64, "{unit:?}: {once} for {n} bytes");
    }
}
