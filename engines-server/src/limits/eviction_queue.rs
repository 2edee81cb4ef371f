//! Unfinished work, of which the oldest is evicted when there is too much.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::AddressGroup;

/// Unfinished work of one kind, ordered by age.
#[derive(Debug)]
pub(crate) struct EvictionQueue {
    /// The limits in total and for each address.
    total: usize,
    per_address: usize,
    queue: Mutex<EvictionQueueState>,
}

#[derive(Debug, Default)]
struct EvictionQueueState {
    last_number: u64,
    by_age: BTreeMap<u64, EvictionQueueEntry>,
    by_address: HashMap<AddressGroup, BTreeSet<u64>>,
}

#[derive(Debug)]
struct EvictionQueueEntry {
    group: Option<AddressGroup>,
    evict: oneshot::Sender<()>,
}

/// A place among the unfinished work, which is released when it is dropped.
#[derive(Debug)]
pub(crate) struct WorkGuard {
    all: Arc<EvictionQueue>,
    number: u64,
}

/// The signal that another client's work has taken the place.
#[derive(Debug)]
pub(crate) struct EvictionSignal(oneshot::Receiver<()>);

impl EvictionQueue {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self { total: total.max(1), per_address: per_address.max(1), queue: Mutex::default() }
    }

    /// Takes a place, and evicts the oldest work if none is left. Returns whether work was evicted.
    pub(super) fn start_work(self: &Arc<Self>, group: Option<AddressGroup>) -> (WorkGuard, EvictionSignal, bool) {
        let (evict, evicted) = oneshot::channel();
        let mut queue = self.lock();
        queue.last_number += 1;
        let number = queue.last_number;
        queue.by_age.insert(number, EvictionQueueEntry { group, evict });
        let per_site = AddressGroup::site_limit(self.per_address, self.total);
        let mut oldest_over = |group: Option<AddressGroup>, limit| {
            let numbers = queue.by_address.entry(group?).or_default();
            numbers.insert(number);
            numbers.first().copied().filter(|_| numbers.len() > limit)
        };
        let of_address = oldest_over(group, self.per_address);
        let of_site = oldest_over(group.and_then(AddressGroup::site), per_site);
        let oldest = match of_address.or(of_site) {
            Some(oldest) => Some(oldest),
            None if queue.by_age.len() > self.total => queue.by_age.keys().next().copied(),
            None => None,
        };
        let ended = oldest.and_then(|oldest| queue.remove(oldest));
        drop(queue);
        let ended_any = ended.is_some();
        if let Some(entry) = ended {
            // Sending fails if the work has just ended by itself.
            let _ = entry.evict.send(());
        }
        (WorkGuard { all: Arc::clone(self), number }, EvictionSignal(evicted), ended_any)
    }

    fn lock(&self) -> MutexGuard<'_, EvictionQueueState> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EvictionQueueState {
    fn remove(&mut self, number: u64) -> Option<EvictionQueueEntry> {
        let entry = self.by_age.remove(&number)?;
        for group in entry.group.into_iter().chain(entry.group.and_then(AddressGroup::site)) {
            if let Some(numbers) = self.by_address.get_mut(&group) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.by_address.remove(&group);
                }
            }
        }
        Some(entry)
    }
}

impl Drop for WorkGuard {
    fn drop(&mut self) {
        let entry = self.all.lock().remove(self.number);
        drop(entry);
    }
}

impl EvictionSignal {
    /// Waits until the place is taken by other work. Waits forever once the work is finished.
    pub(crate) async fn wait(&mut self) {
        if (&mut self.0).await.is_err() {
            pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt;

    use super::*;

    fn group(last: u8) -> Option<AddressGroup> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    fn is_evicted(evicted: &mut EvictionSignal) -> bool {
        evicted.wait().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_of_the_same_address_gives_way() {
        let all = Arc::new(EvictionQueue::new(10, 2));
        let (_other, mut other, _) = all.start_work(group(1));
        let (_first, mut first, _) = all.start_work(group(2));
        let (_second, mut second, _) = all.start_work(group(2));
        let (_third, mut third, ended) = all.start_work(group(2));
        assert!(ended);
        assert_eq!([&mut other, &mut first, &mut second, &mut third].map(is_evicted), [false, true, false, false]);
    }

    #[test]
    fn the_oldest_of_all_gives_way_when_the_total_is_reached() {
        let all = Arc::new(EvictionQueue::new(3, 3));
        let (finished, mut finished_signal, _) = all.start_work(group(1));
        drop(finished);
        let mut held: Vec<_> = (0..3).map(|last| all.start_work(group(last))).collect();
        assert!(held.iter_mut().all(|(_, evicted, ended)| !*ended && !is_evicted(evicted)));
        let (_next, _, ended) = all.start_work(None);
        assert!(ended);
        assert_eq!(
            held.iter_mut().map(|(_, evicted, _)| is_evicted(evicted)).collect::<Vec<_>>(),
            [true, false, false]
        );
        // Finished work is never evicted.
        assert!(!is_evicted(&mut finished_signal));
        drop(held);
        assert_eq!(all.lock().by_address.len(), 0);
        assert_eq!(all.lock().by_age.len(), 1);
    }

    #[test]
    fn the_oldest_of_an_ipv6_site_gives_way_when_the_site_has_twice_the_part_of_an_address() {
        let all = Arc::new(EvictionQueue::new(100, 2));
        let network = |number: u16| Some(IpAddr::from([0x2001, 0xdb8, 1, number, 0, 0, 0, 1]).into());
        let mut held: Vec<_> = (0..5).map(|number| all.start_work(network(number))).collect();
        let evicted: Vec<_> = held.iter_mut().map(|(_, signal, _)| is_evicted(signal)).collect();
        assert_eq!(evicted, [true, false, false, false, false]);
        drop(held);
        assert!(all.lock().by_address.is_empty());
    }
}
