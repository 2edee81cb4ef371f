//! The dataset events of one scope, and what they are found by.

use std::{collections::HashMap, ops::Range, sync::Arc};

use engines_core::{
    Result, Timestamp,
    event::{EventFilter, StoredEvent},
    nexus::{Page, PageToken, Paged},
};

use super::space::resume;

const LIST: &str = "events";

/// A field that events are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Field {
    Surface,
    Agent,
    Trace,
    Type,
}

/// Events in the order they were recorded, and for each value of each field the places where it is.
#[derive(Default)]
pub(super) struct Events {
    /// The event with `seq` n is at n − 1.
    log: Vec<Arc<StoredEvent>>,
    places: HashMap<Field, HashMap<String, Vec<usize>>>,
    /// For each event, the latest time up to it: unlike the times themselves these never fall.
    highs: Vec<Timestamp>,
    /// By how many milliseconds an event was behind an earlier one, at the most.
    lag: i64,
}

impl Events {
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<&StoredEvent> {
        self.log.get(place).map(Arc::as_ref)
    }

    pub(super) fn push(&mut self, event: StoredEvent) {
        let place = self.log.len();
        for (field, value) in [
            (Field::Surface, Some(&event.surface)),
            (Field::Agent, Some(&event.agent_id)),
            (Field::Trace, Some(&event.trace_id)),
            (Field::Type, event.event_type.as_ref()),
        ] {
            let Some(value) = value else { continue };
            let places = self.places.entry(field).or_default();
            match places.get_mut(value) {
                Some(places) => places.push(place),
                None => drop(places.insert(value.clone(), vec![place])),
            }
        }
        let high = self.highs.last().map_or(event.ts, |high| event.ts.max(*high));
        self.highs.push(high);
        self.lag = self.lag.max(high.as_millis().saturating_sub(event.ts.as_millis()));
        self.log.push(Arc::new(event));
    }

    /// A page of those that match. It looks at the events with the rarest of the values asked for, within the times asked for, and at no others.
    pub(super) fn page(&self, filter: &EventFilter, page: &Page) -> Result<Paged<StoredEvent>> {
        let limit = page.limit.max(1);
        let mut range = self.between(filter.from, filter.until);
        range.start = range.start.max(resume(LIST, page)?);
        let wanted = |event: &&StoredEvent| filter.matches(event);
        let items: Vec<_> = match self.rarest(filter) {
            Some(places) => {
                let first = places.partition_point(|place| *place < range.start);
                let places = places.get(first..).unwrap_or_default().iter().take_while(|place| **place < range.end);
                let events = places.filter_map(|place| self.get(*place));
                events.filter(wanted).take(limit.saturating_add(1)).cloned().collect()
            }
            None => {
                let events = self.log.get(range.start..range.end.max(range.start)).unwrap_or_default().iter();
                events.map(Arc::as_ref).filter(wanted).take(limit.saturating_add(1)).cloned().collect()
            }
        };
        Ok(Paged::cut(items, limit, |last: &StoredEvent| PageToken::new(LIST, [last.seq.to_string()])))
    }

    /// The places of the rarest value that the filter names; none when it names none.
    fn rarest(&self, filter: &EventFilter) -> Option<&[usize]> {
        let named = [
            (Field::Surface, &filter.surface),
            (Field::Agent, &filter.agent_id),
            (Field::Trace, &filter.trace_id),
            (Field::Type, &filter.event_type),
        ];
        let places = named.into_iter().filter_map(|(field, value)| {
            let places = self.places.get(&field).and_then(|places| places.get(value.as_ref()?));
            value.as_ref().map(|_| places.map_or(&[][..], Vec::as_slice))
        });
        places.min_by_key(|places| places.len())
    }

    /// Where events of these times can be: outside of it there are none.
    fn between(&self, from: Option<Timestamp>, until: Option<Timestamp>) -> Range<usize> {
        // Before the first high that reaches `from` every event is earlier than it.
        let start = from.map_or(0, |from| self.highs.partition_point(|high| *high < from));
        // An event is at most `lag` earlier than the high at its place, and highs never fall.
        let end = until.map_or(self.log.len(), |until| {
            let latest = until.as_millis().saturating_add(self.lag);
            self.highs.partition_point(|high| high.as_millis() < latest)
        });
        start..end
    }
}

/// Checks the token of a page of nothing.
pub(super) fn check_page(page: &Page) -> Result<()> {
    resume(LIST, page).map(drop)
}
