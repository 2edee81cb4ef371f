//! The outputs that are checked, and how a canary is recognized in them.

use aho_corasick::AhoCorasick;

use crate::canaries::Canary;

/// The name of an output, and its content.
pub(crate) type Output = (String, Vec<u8>);

/// The outputs that are checked, as `docs/sinks.md` lists them.
pub(crate) const LISTED: &[&str] = &[
    "answer: events",
    "answer: batch",
    "answer: refusal",
    "answer: redact",
    "answer: list",
    "answer: export",
    "answer: metrics",
    "library: errors",
    "library: debug",
    "stream: sse",
    "audit records",
    "sink",
    "sink that refuses",
    "sink status",
    "sqlite files, running",
    "sqlite files, closed",
    "logs and spans",
];

/// The outputs that show events, and would show what the engine does not mask.
pub(crate) const WITH_EVENTS: &[&str] =
    &["answer: list", "answer: export", "sink", "sink that refuses", "sqlite files, running", "sqlite files, closed"];

/// Finds canaries, also in the encodings of URLs, HTML and JSON.
pub(crate) struct Catcher {
    needles: Vec<(String, String)>,
    search: AhoCorasick,
}

impl Catcher {
    pub(crate) fn new(canaries: &[Canary]) -> Self {
        let mut needles = Vec::new();
        for canary in canaries {
            let forms = [canary.value.clone(), percent(&canary.value), html(&canary.value), json(&canary.value)];
            needles.extend(forms.into_iter().map(|form| (canary.entity.name().to_owned(), form)));
        }
        let search = AhoCorasick::new(needles.iter().map(|(_, form)| form)).unwrap();
        Self { needles, search }
    }

    /// Returns the outputs with a canary, and the canary.
    pub(crate) fn caught(&self, out: &[Output]) -> Vec<(String, String)> {
        let mut caught = Vec::new();
        for (way, bytes) in out {
            for found in self.search.find_overlapping_iter(bytes) {
                let (entity, form) = &self.needles[found.pattern().as_usize()];
                let (from, to) = (found.start().saturating_sub(60), (found.end() + 20).min(bytes.len()));
                let around = String::from_utf8_lossy(&bytes[from..to]).into_owned();
                let one = (way.clone(), format!("{entity} {form:?} in {around:?}"));
                if caught.iter().filter(|(known, _)| known == way).count() < 5 && !caught.contains(&one) {
                    caught.push(one);
                }
            }
        }
        caught
    }
}

/// Encodes a text for a URL: all characters but letters and digits.
pub(crate) fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Encodes a text for HTML: numeric references for all characters but letters and digits.
pub(crate) fn html(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || c == ' ' { c.to_string() } else { format!("&#{};", u32::from(c)) })
        .collect()
}

/// Encodes a text as a JSON string without its quotes.
pub(crate) fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}
