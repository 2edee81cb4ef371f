//! The dataset events of one scope and their indexes.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use engines_core::{
    Result, Timestamp,
    event::{EventFilter, StoredEvent},
    nexus::{Page, PageRequest, PageToken},
    stream::Seq,
};

use super::page_token::resume_index;

const LIST: &str = "events";

/// A field with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum IndexedField {
    Surface,
    Agent,
    Trace,
    Type,
}

/// An event and its position in the feed of all scopes.
struct IndexedEvent {
    event: Arc<StoredEvent>,
    position: u64,
    /// Bytes counted for the event.
    size: usize,
}

/// The result of one step of a removal.
#[derive(Default)]
pub(super) struct EventRemoval {
    pub(super) removed: u64,
    pub(super) freed: usize,
    /// The feed positions of the removed events.
    pub(super) positions: Vec<u64>,
    /// The sequence up to which events were examined.
    pub(super) reached: u64,
    pub(super) done: bool,
}

/// Events in the order of recording, and for each value of each indexed field the indexes of its events.
#[derive(Default)]
pub(super) struct EventIndex {
    /// The event with `seq` n is at index n − 1; `None` where it was removed.
    log: Vec<Option<IndexedEvent>>,
    positions_by_value: HashMap<IndexedField, HashMap<String, Vec<usize>>>,
    /// For each event the latest time of all events up to it. Unlike the times themselves, these values never
    /// decrease.
    latest_times: Vec<Timestamp>,
    /// The largest difference, in milliseconds, by which an event was earlier than one before it.
    max_lag_ms: i64,
}

impl EventIndex {
    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<&StoredEvent> {
        self.log.get(place)?.as_ref().map(|recorded| &*recorded.event)
    }

    /// Inserts an event whose sequence is greater than all others. Position 0 marks an event that is not in the feed.
    pub(super) fn restore(&mut self, event: StoredEvent, position: u64, size: usize) {
        self.skip_to(event.seq.0.saturating_sub(1));
        self.push(event, position, size);
    }

    /// Makes the next sequence at least `last + 1`.
    pub(super) fn skip_to(&mut self, last: u64) {
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        if last > self.log.len() {
            let high = self.latest_times.last().copied().unwrap_or_default();
            self.latest_times.resize(last, high);
            self.log.resize_with(last, || None);
        }
    }

    /// Returns all events by sequence, with their feed positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&StoredEvent, u64)> {
        self.log.iter().flatten().map(|recorded| (&*recorded.event, recorded.position))
    }

    /// Returns an event and its feed position.
    pub(super) fn get_with_position(&self, place: usize) -> Option<(&StoredEvent, u64)> {
        self.log.get(place)?.as_ref().map(|recorded| (&*recorded.event, recorded.position))
    }

    pub(super) fn push(&mut self, event: StoredEvent, position: u64, size: usize) {
        let place = self.log.len();
        for (field, value) in indexed_values(&event) {
            let places = self.positions_by_value.entry(field).or_default();
            match places.get_mut(value) {
                Some(places) => places.push(place),
                None => drop(places.insert(value.clone(), vec![place])),
            }
        }
        let high = self.latest_times.last().map_or(event.ts, |high| event.ts.max(*high));
        self.latest_times.push(high);
        self.max_lag_ms = self.max_lag_ms.max(high.as_millis().saturating_sub(event.ts.as_millis()));
        self.log.push(Some(IndexedEvent { event: Arc::new(event), position, size }));
    }

    /// Removes up to `limit` matching events, starting at the index `start`. Skips at most
    /// [`EventFilter::MAX_SCANNED`] other events.
    pub(super) fn remove(
        &mut self,
        filter: &EventFilter,
        delivered: Option<u64>,
        start: u64,
        limit: usize,
    ) -> EventRemoval {
        let mut step = EventRemoval { reached: start, ..EventRemoval::default() };
        let range = self.time_range(filter.from, filter.until);
        let (mut passed, mut touched) = (0, HashSet::new());
        let first = usize::try_from(start).unwrap_or(usize::MAX).max(range.start);
        for place in first..range.end {
            if step.removed == limit as u64 || passed == EventFilter::MAX_SCANNED {
                self.remove_from_index(touched);
                return step;
            }
            let Some(slot) = self.log.get_mut(place) else { break };
            let wanted = |recorded: &IndexedEvent| {
                filter.matches(&recorded.event) && delivered.is_none_or(|delivered| recorded.position <= delivered)
            };
            match slot {
                Some(recorded) if wanted(recorded) => {
                    step.freed += recorded.size;
                    step.positions.push(recorded.position);
                    step.removed += 1;
                    touched.extend(indexed_values(&recorded.event).map(|(field, value)| (field, value.clone())));
                    *slot = None;
                }
                Some(_) => passed += 1,
                None => {}
            }
            step.reached = place as u64 + 1;
        }
        self.remove_from_index(touched);
        step.done = true;
        step
    }

    /// Removes the indexes of removed events from the lists of these values.
    fn remove_from_index(&mut self, touched: HashSet<(IndexedField, String)>) {
        for (field, value) in touched {
            let Some(places) = self.positions_by_value.get_mut(&field) else { continue };
            if let Some(list) = places.get_mut(&value) {
                list.retain(|place| self.log.get(*place).is_some_and(Option::is_some));
                if list.is_empty() {
                    places.remove(&value);
                }
            }
        }
    }

    /// Returns a page of matching events. It examines only events within the requested times that have the rarest of
    /// the requested values, and skips a bounded number of them.
    pub(super) fn page(&self, filter: &EventFilter, page: &PageRequest) -> Result<Page<StoredEvent>> {
        let mut range = self.time_range(filter.from, filter.until);
        range.start = range.start.max(resume_index(LIST, page)?);
        Ok(match self.rarest_positions(filter) {
            Some(places) => {
                let first = places.partition_point(|place| *place < range.start);
                let places = places.get(first..).unwrap_or_default().iter().copied();
                self.collect_matching(filter, page.limit.max(1), places.take_while(|place| *place < range.end))
            }
            None => self.collect_matching(filter, page.limit.max(1), range),
        })
    }

    /// Collects the matching events of `places`, until the page is full or the limit of skipped events is reached.
    fn collect_matching(
        &self,
        filter: &EventFilter,
        limit: usize,
        places: impl Iterator<Item = usize>,
    ) -> Page<StoredEvent> {
        let (mut items, mut last, mut passed) = (Vec::new(), None, 0);
        for place in places {
            if passed == EventFilter::MAX_SCANNED {
                return Page { items, next: last.map(|last| page_token(last).encode()) };
            }
            let Some(event) = self.get(place) else { continue };
            last = Some(event.seq);
            if !filter.matches(event) {
                passed += 1;
                continue;
            }
            items.push(event.clone());
            if items.len() > limit {
                break;
            }
        }
        Page::from_lookahead(items, limit, |last: &StoredEvent| page_token(last.seq))
    }

    /// Returns the events of the rarest value that the filter names; `None` when it names no indexed value.
    fn rarest_positions(&self, filter: &EventFilter) -> Option<&[usize]> {
        let named = [
            (IndexedField::Surface, &filter.surface),
            (IndexedField::Agent, &filter.agent_id),
            (IndexedField::Trace, &filter.trace_id),
            (IndexedField::Type, &filter.event_type),
        ];
        let places = named.into_iter().filter_map(|(field, value)| {
            let places = self.positions_by_value.get(&field).and_then(|places| places.get(value.as_ref()?));
            value.as_ref().map(|_| places.map_or(&[][..], Vec::as_slice))
        });
        places.min_by_key(|places| places.len())
    }

    /// Returns a range of indexes that contains all events of these times.
    fn time_range(&self, from: Option<Timestamp>, until: Option<Timestamp>) -> Range<usize> {
        // Every event before the first index whose latest time reaches `from` is earlier than `from`.
        let start = from.map_or(0, |from| self.latest_times.partition_point(|high| *high < from));
        // An event is at most `max_lag_ms` earlier than the latest time at its index, and latest times never
        // decrease.
        let end = until.map_or(self.log.len(), |until| {
            let latest = until.as_millis().saturating_add(self.max_lag_ms);
            self.latest_times.partition_point(|high| high.as_millis() < latest)
        });
        start..end
    }
}

/// Returns the indexed fields of an event with their values.
fn indexed_values(event: &StoredEvent) -> impl Iterator<Item = (IndexedField, &String)> {
    let of_type = event.event_type.as_ref().map(|value| (IndexedField::Type, value));
    let others = [
        (IndexedField::Surface, &event.surface),
        (IndexedField::Agent, &event.agent_id),
        (IndexedField::Trace, &event.trace_id),
    ];
    others.into_iter().chain(of_type)
}

/// Returns the token of the page that follows `seq`.
fn page_token(seq: Seq) -> PageToken {
    PageToken::new(LIST, [seq.to_string()])
}

/// Checks the token of a page when there are no events to list.
pub(super) fn check_page(page: &PageRequest) -> Result<()> {
    resume_index(LIST, page).map(drop)
}

#[cfg(test)]
mod tests {
    use engines_core::{
        DatasetEvent, Role,
        clock::IdGenerator,
        event::{EventStamp, scrub_event},
        pii::Scrubber,
        testing::context,
    };

    use super::*;

    /// Half of the events have each of the two values, and no event has both.
    #[test]
    fn a_page_skips_a_bounded_number_of_events() {
        let (mut events, ids) = (EventIndex::default(), IdGenerator::seeded(1));
        let context = context("t_acme", "ada", Role::Member).unwrap();
        let count = 3 * EventFilter::MAX_SCANNED;
        for n in 0..count {
            let word = |even: &str, odd: &str| if n % 2 == 0 { even } else { odd }.to_owned();
            let event = DatasetEvent { surface: word("a", "b"), agent_id: word("a", "b"), ..DatasetEvent::default() };
            let ts = Timestamp::from_secs(n as i64);
            let stamp = EventStamp { event_id: ids.ulid(ts), ts, actor: context.actor().clone(), train_ok: true };
            let event = scrub_event(&Scrubber::default(), event, stamp, &context).unwrap();
            events.push(event.into_stored(Seq(n as u64 + 1)), n as u64 + 1, 0);
        }
        let word = |text: &str| Some(text.to_owned());
        let never = EventFilter { surface: word("a"), agent_id: word("b"), ..EventFilter::default() };
        let (mut page, mut pages) = (PageRequest::first(10), 0);
        while let Some(next) = events.page(&never, &page).unwrap().next {
            (page, pages) = (PageRequest::after(10, next), pages + 1);
        }
        assert_eq!(pages, count / 2 / EventFilter::MAX_SCANNED);
        // A filter on one value skips no event.
        let one = EventFilter { surface: word("a"), ..EventFilter::default() };
        assert_eq!(events.page(&one, &PageRequest::first(count)).unwrap().items.len(), count / 2);
    }
}
