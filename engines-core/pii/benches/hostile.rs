//! Searches for the input that makes the PII engine slowest: it combines triggers of the rules with texts that may
//! follow them, and repeats them.
//!
//! `cargo bench -p engines-pii --bench hostile` prints the slowest families with their throughput, and how much
//! longer an input of twice and four times the size takes. An argument selects the families whose name contains it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::time::Instant;

use engines_pii::Scrubber;

/// Texts at which rules start: cues, prefixes, numbers, escapes, incomplete values; one a line.
const TRIGGERS: &str = include_str!("hostile.txt");

/// Texts that are put after each of them.
const SEPARATORS: [&str; 39] = [
    "",
    " ",
    "  ",
    "-",
    ".",
    "/",
    ":",
    ",",
    ";",
    "_",
    "@",
    "=",
    "\"",
    "'",
    "\n",
    "(",
    ")",
    "a",
    "aaaaaaaa",
    "0",
    "00000000",
    "A",
    " a",
    "a1b2",
    "::",
    "=\"",
    ": ",
    " is ",
    "%40",
    "\\n",
    "\u{200b}",
    "é",
    "電",
    "&#64;",
    "aZ9bY8cX7dW6eV5f",
    "abc.def/ghi,jkl;mno",
    " 12 ",
    "-1",
    ".com",
];

const SIZE: usize = 48 * 1024;

/// The shortest of some runs, in seconds.
fn time(scrubber: &Scrubber, text: &str, runs: usize) -> f64 {
    let once = || {
        let start = Instant::now();
        black_box(scrubber.findings(black_box(text)).unwrap());
        start.elapsed().as_secs_f64()
    };
    (0..runs).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let scrubber = Scrubber::default();
    let repeated = |unit: &str, size: usize| unit.repeat(size.div_ceil(unit.len()));
    let speed = |text: &str, runs| text.len() as f64 / time(&scrubber, text, runs) / 1e6;
    let triggers: Vec<&str> = TRIGGERS.lines().collect();
    let pairs = triggers.iter().flat_map(|t| SEPARATORS.iter().map(move |s| format!("{t}{s}")));
    let others = triggers.iter().zip(triggers.iter().rev());
    let joined = others.flat_map(|(t, u)| [format!("{t}{u}"), format!("{t} {u} "), format!("{t}={u},")]);
    let mut families: Vec<(f64, String)> = pairs
        .chain(joined)
        .filter(|unit| wanted.is_empty() || wanted.iter().any(|w| unit.contains(w)))
        .map(|unit| (speed(&repeated(&unit, SIZE), 2), unit))
        .collect();
    println!("{} families; the slowest, and the time for twice and four times as much:", families.len());
    families.sort_by(|a, b| a.0.total_cmp(&b.0));
    families.truncate(60);
    for (best, unit) in &mut families {
        *best = best.max(speed(&repeated(unit, SIZE), 25));
    }
    families.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (best, unit) in families.iter().take(30) {
        let times = [1, 2, 4].map(|n| time(&scrubber, &repeated(unit, n * SIZE), 12));
        println!("{best:8.1} MB/s  {:.2}  {:.2}  {unit:?}", times[1] / times[0], times[2] / times[0]);
    }
}
