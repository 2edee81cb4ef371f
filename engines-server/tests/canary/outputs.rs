//! What is looked at, and how a canary is recognised in it.

use aho_corasick::AhoCorasick;

use crate::canaries::Canary;

/// A way out by its name, and what came out.
pub(crate) type Output = (String, Vec<u8>);

/// The ways out that are looked at, as `docs/sinks.md` lists them.
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

/// Those that show events, and would show what the engine leaves in.
pub(crate) const WITH_EVENTS: &[&str] =
    &["answer: list", "answer: export", "sink", "sink that refuses", "sqlite files, running", "sqlite files, closed"];

/// Finds canaries, also encoded as URLs, HTML and JSON encode them.
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

    /// The ways out on which there was a canary, and which.
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

/// As in a URL: everything but letters and digits.
pub(crate) fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// As in HTML: numeric references for everything but letters and digits.
pub(crate) fn html(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || c == ' ' { c.to_string() } else { format!("&#{};", u32::from(c)) })
        .collect()
}

/// As between the quotes of JSON.
pub(crate) fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}
