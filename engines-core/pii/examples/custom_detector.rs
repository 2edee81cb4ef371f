//! A custom detector, with a word list instead of a name model: `cargo run -p engines-pii --example custom_detector`.
#![expect(clippy::print_stdout, reason = "an example speaks to people")]

use std::{error::Error, time::Duration};

use engines_pii::{DetectedSpan, Detector, DetectorBudget, DetectorError, Entity, Scrubber};

/// Finds people by their first names: a word of the list and the capitalised word after it.
struct Names {
    first: Vec<&'static str>,
    person: Entity,
}

impl Names {
    fn new(first: Vec<&'static str>) -> Option<Self> {
        Some(Self { first, person: Entity::from_name("PERSON")? })
    }
}

impl Detector for Names {
    fn name(&self) -> &str {
        "names"
    }

    fn entities(&self) -> Vec<Entity> {
        vec![self.person.clone()]
    }

    fn detect(&self, text: &str, budget: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError> {
        let mut spans = Vec::new();
        for first in &self.first {
            for (start, _) in text.match_indices(first) {
                // A model would check the budget here; a detector that exceeds it fails the scrub.
                if budget.is_some_and(|budget| budget.remaining().is_zero()) {
                    return Err(DetectorError("out of time".into()));
                }
                let mut end = start + first.len();
                let rest = &text[end..];
                if let Some(last) = rest.strip_prefix(' ').filter(|rest| rest.starts_with(char::is_uppercase)) {
                    end += 1 + last.find(|c: char| !c.is_alphabetic()).unwrap_or(last.len());
                }
                spans.push(DetectedSpan { entity: self.person.clone(), start, end, score: 0.85 });
            }
        }
        Ok(spans)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let names = Names::new(vec!["Ada", "Grace"]).ok_or("PERSON is no name of an entity")?;
    let begun = std::time::Instant::now();
    let scrubber =
        Scrubber::builder().detector(names).budget(Duration::from_millis(50), move || begun.elapsed()).build()?;
    let clean = scrubber.scrub_text("Ada Lovelace met Grace at 12, rue de la Paix; mail ada@example.org")?;
    println!("{}", clean.value);
    for finding in clean.findings {
        println!("{} {}..{} {:.2}", finding.entity, finding.start, finding.end, finding.score);
    }
    Ok(())
}
