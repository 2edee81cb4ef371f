//! The threads that compute hashes, and the queue before them.
//!
//! The queue is fair to networks: sites take turns, and so do the networks of one site. A client that floods it waits behind
//! its own requests. Each network and each site has a part of the queue, and when the queue is full, the longest line of
//! waiting requests gives up its newest one to a network that has fewer.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::{sync::oneshot, time::timeout};

use super::settings::HashSettings;
use crate::client_network::{ClientNetwork, NETWORKS_PER_SITE};

/// Networks with a right password that are remembered; the one used longest ago is forgotten first.
const PROVEN_NETWORKS: usize = 16_384;
/// Of so many hashes one is computed for the networks without a right password, if both kinds wait: strangers wait longer,
/// but are not shut out by whoever has an account.
const TURNS_PER_UNPROVEN: u32 = 4;

/// Threads for hashes, with a fair queue.
pub(super) struct HashQueue {
    threads: usize,
    limits: QueueLimits,
    wait: Duration,
    state: Mutex<QueueState>,
    /// Networks from which a password was right since the process started.
    proven: Cache<ClientNetwork, ()>,
}

#[derive(Debug, Clone, Copy)]
struct QueueLimits {
    total: usize,
    per_network: usize,
    per_site: usize,
}

#[derive(Debug, Default)]
struct QueueState {
    running: usize,
    last_number: u64,
    turn: u32,
    proven: WaitingSites,
    unproven: WaitingSites,
}

/// Requests that wait, by site.
#[derive(Debug, Default)]
struct WaitingSites {
    total: usize,
    /// The sites that have a request, in the order of their turns.
    turns: VecDeque<ClientNetwork>,
    sites: HashMap<ClientNetwork, WaitingSite>,
}

/// Requests of one site that wait.
#[derive(Debug, Default)]
struct WaitingSite {
    total: usize,
    /// The networks that have a request, in the order of their turns. They are few: a site has a part of the queue.
    networks: VecDeque<(ClientNetwork, VecDeque<WaitingHash>)>,
}

#[derive(Debug)]
struct WaitingHash {
    number: u64,
    granted: oneshot::Sender<HashThread>,
}

/// The use of a thread, given to the next request when it is dropped.
#[derive(Debug)]
pub(super) struct HashThread(Option<Arc<HashQueue>>);

/// The queue is full, or no thread was free in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

/// A place in the queue, given up when it is dropped.
struct QueuePlace<'a> {
    queue: &'a HashQueue,
    client: ClientNetwork,
    number: u64,
}

impl HashQueue {
    pub(super) fn new(settings: &HashSettings) -> Arc<Self> {
        let per_network = settings.queue_per_network.max(1);
        let limits = QueueLimits {
            total: settings.queue,
            per_network,
            per_site: per_network.saturating_mul(NETWORKS_PER_SITE as usize),
        };
        Arc::new(Self {
            threads: settings.threads().max(1),
            limits,
            wait: Duration::from_millis(settings.wait_ms),
            state: Mutex::default(),
            proven: Cache::new(PROVEN_NETWORKS),
        })
    }

    /// Notes that a password from this network was right: its requests go first from now on.
    pub(super) fn mark_proven(&self, client: ClientNetwork) {
        if client.is_known() {
            self.proven.insert(client, ());
        }
    }

    /// Waits for a thread.
    ///
    /// # Errors
    /// [`QueueFull`] at once when the network has its part of the queue, or the queue is full of networks that have no
    /// more than this one; later when no thread was free in time, or a network with fewer requests took the place.
    pub(super) async fn acquire(self: &Arc<Self>, client: ClientNetwork) -> Result<HashThread, QueueFull> {
        let (place, granted) = {
            let is_proven = self.proven.get(&client).is_some();
            let mut state = self.lock();
            if state.running < self.threads {
                state.running += 1;
                return Ok(HashThread(Some(Arc::clone(self))));
            }
            let displaced = state.make_room(client, is_proven, self.limits)?;
            let (granted, receiver) = oneshot::channel();
            state.last_number += 1;
            let number = state.last_number;
            let line = if is_proven { &mut state.proven } else { &mut state.unproven };
            line.push(client, WaitingHash { number, granted });
            drop(state);
            // Whoever waited there is refused now.
            drop(displaced);
            (QueuePlace { queue: self, client, number }, receiver)
        };
        let thread = timeout(self.wait, granted).await;
        drop(place);
        thread.map_err(|_| QueueFull)?.map_err(|_| QueueFull)
    }

    /// Passes a thread on to the next request.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.pop();
                if next.is_none() {
                    state.running -= 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.granted.send(HashThread(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // Its request has just ended; the thread is still this one's to give.
                Err(thread) => thread.forget(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    /// Makes sure that one more request of `client` may wait. Returns the request that had to go for it.
    fn make_room(
        &mut self,
        client: ClientNetwork,
        is_proven: bool,
        limits: QueueLimits,
    ) -> Result<Option<WaitingHash>, QueueFull> {
        // A network may have begun to wait before its password was right.
        let (first_network, first_site) = self.proven.count(client);
        let (second_network, second_site) = self.unproven.count(client);
        let (of_network, of_site) = (first_network + second_network, first_site + second_site);
        if client.is_known() && (of_network >= limits.per_network || of_site >= limits.per_site) {
            return Err(QueueFull);
        }
        if self.proven.total + self.unproven.total < limits.total {
            return Ok(None);
        }
        // The longest line of a stranger goes first, for a proven network whatever its length.
        let least = if is_proven { 1 } else { of_site + 2 };
        if let Some(displaced) = self.unproven.pop_longest(least) {
            return Ok(Some(displaced));
        }
        match is_proven.then(|| self.proven.pop_longest(of_site + 2)).flatten() {
            Some(displaced) => Ok(Some(displaced)),
            None => Err(QueueFull),
        }
    }

    fn pop(&mut self) -> Option<WaitingHash> {
        self.turn = (self.turn + 1) % TURNS_PER_UNPROVEN;
        let (first, second) = match self.turn {
            0 => (&mut self.unproven, &mut self.proven),
            _ => (&mut self.proven, &mut self.unproven),
        };
        first.pop().or_else(|| second.pop())
    }
}

impl WaitingSites {
    /// How many requests of this network and of its site wait.
    fn count(&self, client: ClientNetwork) -> (usize, usize) {
        let Some(site) = self.sites.get(&client.site()) else { return (0, 0) };
        let network = site.networks.iter().find(|(network, _)| *network == client);
        (network.map_or(0, |(_, waiting)| waiting.len()), site.total)
    }

    fn push(&mut self, client: ClientNetwork, waiting: WaitingHash) {
        let name = client.site();
        let site = self.sites.entry(name).or_default();
        if site.total == 0 {
            self.turns.push_back(name);
        }
        site.total += 1;
        self.total += 1;
        match site.networks.iter_mut().find(|(network, _)| *network == client) {
            Some((_, line)) => line.push_back(waiting),
            None => site.networks.push_back((client, VecDeque::from([waiting]))),
        }
    }

    /// The next request: of the site whose turn it is, the network whose turn it is.
    fn pop(&mut self) -> Option<WaitingHash> {
        let name = self.turns.pop_front()?;
        let site = self.sites.get_mut(&name)?;
        let (network, mut line) = site.networks.pop_front()?;
        let next = line.pop_front();
        if !line.is_empty() {
            site.networks.push_back((network, line));
        }
        site.total -= 1;
        self.total -= 1;
        match site.total {
            0 => drop(self.sites.remove(&name)),
            _ => self.turns.push_back(name),
        }
        next
    }

    /// The newest request of the network that has most in the site that has most, if that site has `least`.
    fn pop_longest(&mut self, least: usize) -> Option<WaitingHash> {
        let (name, site) = self.sites.iter().max_by_key(|(_, site)| site.total)?;
        if site.total < least {
            return None;
        }
        let (client, line) = site.networks.iter().max_by_key(|(_, line)| line.len())?;
        let (site, client, number) = (*name, *client, line.back()?.number);
        debug_assert_eq!(site, client.site());
        self.remove(client, number)
    }

    fn remove(&mut self, client: ClientNetwork, number: u64) -> Option<WaitingHash> {
        let name = client.site();
        let site = self.sites.get_mut(&name)?;
        let at = site.networks.iter().position(|(network, _)| *network == client)?;
        let line = &mut site.networks[at].1;
        let removed = line.iter().position(|waiting| waiting.number == number).and_then(|index| line.remove(index))?;
        if line.is_empty() {
            site.networks.remove(at);
        }
        site.total -= 1;
        self.total -= 1;
        if site.total == 0 {
            self.sites.remove(&name);
            self.turns.retain(|turn| *turn != name);
        }
        Some(removed)
    }
}

impl fmt::Debug for HashQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashQueue")
            .field("threads", &self.threads)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl HashThread {
    /// Drops this without passing the thread on.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for HashThread {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        // It is in one of them, or was given a thread.
        let removed = state.proven.remove(self.client, self.number);
        let removed = removed.or_else(|| state.unproven.remove(self.client, self.number));
        drop(state);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::{FutureExt, future::BoxFuture};

    use super::*;

    type Waiting = BoxFuture<'static, Result<HashThread, QueueFull>>;

    fn queue(queue: usize, queue_per_network: usize) -> Arc<HashQueue> {
        HashQueue::new(&HashSettings { threads: 1, queue, queue_per_network, ..HashSettings::default() })
    }

    fn client(address: &str) -> ClientNetwork {
        ClientNetwork::of(Some(address))
    }

    /// Begins to wait, without having to wait for the outcome.
    fn wait(queue: &Arc<HashQueue>, address: &str) -> Waiting {
        let (queue, client) = (Arc::clone(queue), client(address));
        let mut waiting: Waiting = Box::pin(async move { queue.acquire(client).await });
        assert!(waiting.as_mut().now_or_never().is_none_or(|done| done.is_err()), "no thread is free");
        waiting
    }

    fn outcome(waiting: &mut Waiting) -> Option<Result<HashThread, QueueFull>> {
        Pin::new(waiting).now_or_never()
    }

    fn refused_at_once(queue: &Arc<HashQueue>, address: &str) -> bool {
        matches!(queue.acquire(client(address)).now_or_never(), Some(Err(QueueFull)))
    }

    /// In which order those who wait get the thread, by their index.
    fn order(thread: HashThread, mut waiting: Vec<Waiting>) -> Vec<usize> {
        let (mut thread, mut order, mut done) = (Some(thread), Vec::new(), vec![false; waiting.len()]);
        while order.len() < waiting.len() {
            drop(thread.take());
            let next = (0..waiting.len()).filter(|&index| !done[index]);
            let (index, granted) =
                next.map(|index| (index, outcome(&mut waiting[index]))).find(|(_, granted)| granted.is_some()).unwrap();
            thread = Some(granted.unwrap().unwrap());
            done[index] = true;
            order.push(index);
        }
        order
    }

    #[tokio::test]
    async fn networks_take_turns_however_many_requests_one_of_them_has() {
        let queue = queue(100, 50);
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let mut waiting: Vec<_> = (0..20).map(|_| wait(&queue, "192.0.2.1")).collect();
        waiting.push(wait(&queue, "198.51.100.1"));
        let order = order(thread, waiting);
        assert_eq!(order[..3], [0, 20, 1], "{order:?}");
        assert!(queue.acquire(client("192.0.2.1")).now_or_never().unwrap().is_ok(), "the thread is free again");
    }

    #[tokio::test]
    async fn the_networks_of_an_ipv6_site_have_one_turn_together_and_take_turns_among_themselves() {
        let queue = queue(100, 50);
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let addresses = ["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1", "2001:db8:2::1"];
        let waiting = addresses.map(|address| wait(&queue, address)).into();
        assert_eq!(order(thread, waiting), [0, 3, 2, 1]);
    }

    #[tokio::test]
    async fn a_network_and_a_site_that_have_their_part_are_refused_at_once() {
        let queue = queue(100, 3);
        let _thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let _waiting: Vec<_> = (0..3).map(|_| wait(&queue, "192.0.2.1")).collect();
        assert!(refused_at_once(&queue, "192.0.2.1"));
        assert!(!refused_at_once(&queue, "192.0.2.2"));
        let _of_site: Vec<_> = (0..6).map(|index| wait(&queue, &format!("2001:db8:1:{index}::1"))).collect();
        assert!(refused_at_once(&queue, "2001:db8:1:7::1"));
        assert!(!refused_at_once(&queue, "2001:db8:2:7::1"));
    }

    #[tokio::test]
    async fn a_full_queue_takes_the_place_of_the_network_that_waits_for_most() {
        let queue = queue(4, 4);
        let _thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| wait(&queue, "192.0.2.1")).collect();
        let mut others: Vec<_> = ["192.0.2.2", "192.0.2.3"].map(|address| wait(&queue, address)).into();
        let refused: Vec<_> = waiting.iter_mut().map(|waiting| outcome(waiting).is_some()).collect();
        assert_eq!(refused, [false, false, true, true], "the newest ones go");
        assert!(others.iter_mut().all(|waiting| outcome(waiting).is_none()));
        // Nobody has fewer than the newcomer would have, so nobody gives way to it.
        others.extend([wait(&queue, "192.0.2.4")]);
        assert!(refused_at_once(&queue, "192.0.2.5"));
        // A network with a right password is never shut out by strangers.
        queue.mark_proven(client("192.0.2.6"));
        assert!(!refused_at_once(&queue, "192.0.2.6"));
    }

    #[tokio::test]
    async fn proven_networks_go_first_and_strangers_get_every_fourth_turn() {
        let queue = queue(100, 50);
        queue.mark_proven(client("192.0.2.9"));
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let mut waiting: Vec<_> = (0..2).map(|_| wait(&queue, "192.0.2.1")).collect();
        waiting.extend((0..6).map(|_| wait(&queue, "192.0.2.9")));
        assert_eq!(order(thread, waiting), [2, 3, 4, 0, 5, 6, 7, 1]);
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_neither_a_place_nor_a_thread_taken() {
        let queue = queue(2, 2);
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        for _ in 0..5 {
            drop(wait(&queue, "192.0.2.1"));
        }
        let granted = wait(&queue, "192.0.2.1");
        drop(thread);
        // It was given the thread and does not look any more.
        drop(granted);
        let state = queue.lock();
        assert_eq!((state.running, state.unproven.total, state.unproven.sites.len()), (0, 0, 0));
        assert!(state.unproven.turns.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_settings_say() {
        let settings = HashSettings { threads: 1, wait_ms: 700, ..HashSettings::default() };
        let queue = HashQueue::new(&settings);
        let _thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let begun = tokio::time::Instant::now();
        assert!(queue.acquire(client("192.0.2.2")).await.is_err());
        assert_eq!(begun.elapsed(), Duration::from_millis(700));
    }
}
