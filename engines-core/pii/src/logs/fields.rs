//! Scrubs the fields of an event or a span.

use std::{array, error::Error, fmt};

use serde_json::{Map, Value as Json};
use tracing::field::{self, Field, FieldSet, Value, ValueSet, Visit};

use crate::Scrubber;

/// Replaces a value that could not be scrubbed.
pub(super) const WITHHELD: &str = "[withheld: it could not be scrubbed]";
/// The number of fields of most events.
const FEW_FIELDS: usize = 32;
/// The most fields that are recorded; further ones are dropped.
const MAX_FIELDS: usize = 256;
/// The field that holds an event's text. Its name is not a cue for the value.
const MESSAGE_FIELD: &str = "message";

/// Collects fields and scrubs each of them.
pub(super) struct ScrubbedFields<'s> {
    scrubber: &'s Scrubber,
    scrubbed: Vec<(Field, Box<dyn Value>)>,
}

impl<'s> ScrubbedFields<'s> {
    pub(super) fn new(scrubber: &'s Scrubber) -> Self {
        Self { scrubber, scrubbed: Vec::new() }
    }

    /// Calls `then` with the collected fields.
    pub(super) fn with_values<R>(&self, set: &FieldSet, then: impl FnOnce(&ValueSet<'_>) -> R) -> R {
        let one = |at: usize| self.scrubbed.get(at).map(|(field, value)| (field, Some(&**value)));
        // The number of values is part of their type; `None` fills the unused places.
        match (self.scrubbed.len(), one(0)) {
            (0, _) | (_, None) => then(&set.value_set(&[])),
            (..=FEW_FIELDS, Some((first, _))) => {
                then(&set.value_set(&array::from_fn::<_, FEW_FIELDS, _>(|at| one(at).unwrap_or((first, None)))))
            }
            (_, Some((first, _))) => {
                then(&set.value_set(&array::from_fn::<_, MAX_FIELDS, _>(|at| one(at).unwrap_or((first, None)))))
            }
        }
    }

    fn push_value(&mut self, field: &Field, value: impl Value + 'static) {
        self.scrubbed.push((field.clone(), Box::new(value)));
    }

    /// Scrubs a value under its field's name; `None` if it has no finding.
    fn scrub_value(&self, field: &Field, value: Json) -> Option<String> {
        let name = field.name();
        let scrubbed = match value {
            Json::String(text) if name == MESSAGE_FIELD => {
                return match self.scrubber.scrub_text(&text) {
                    Ok(clean) if clean.findings.is_empty() => None,
                    Ok(clean) => Some(clean.value.into_owned()),
                    Err(_) => Some(WITHHELD.into()),
                };
            }
            value => self.scrubber.scrub_json(&Json::Object(Map::from_iter([(name.to_owned(), value)]))),
        };
        match scrubbed {
            Ok((_, receipt)) if receipt.is_clean() => None,
            Ok((Json::Object(map), _)) => Some(match map.into_iter().next() {
                Some((_, Json::String(text))) => text,
                _ => String::new(),
            }),
            Ok(_) | Err(_) => Some(WITHHELD.into()),
        }
    }

    fn push_text(&mut self, field: &Field, text: String) {
        let clean = self.scrub_value(field, Json::String(text.clone())).unwrap_or(text);
        self.push_value(field, field::display(clean));
    }

    fn push_number(&mut self, field: &Field, as_json: Json, value: impl Value + 'static) {
        match self.scrub_value(field, as_json) {
            Some(clean) => self.push_value(field, field::display(clean)),
            None => self.push_value(field, value),
        }
    }
}

impl Visit for ScrubbedFields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let clean = self.scrub_value(field, Json::String(value.to_owned())).unwrap_or_else(|| value.to_owned());
        self.push_value(field, clean);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        self.push_text(field, text);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        // As digits these values would not be recognised.
        self.push_text(field, String::from_utf8_lossy(value).into_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push_number(field, value.into(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_number(field, value.into(), value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.push_number(field, value.to_string().into(), value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.push_number(field, value.to_string().into(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push_number(field, value.into(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_value(field, value);
    }
}
