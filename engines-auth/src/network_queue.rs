//! A queue of waiting requests that is fair to the networks of their clients.
//!
//! Sites take turns, and so do the networks of one site. Each network and each site has a limited share of the queue.
//! When the queue is full, a network with fewer requests displaces the newest request of the network that has the most.

use std::collections::{HashMap, VecDeque};

use crate::client_network::{ClientNetwork, NETWORKS_PER_SITE};

/// If both kinds of networks wait, one of this many turns goes to an unproven network. Unproven networks wait longer,
/// but proven networks cannot block them.
const TURNS_PER_UNPROVEN: u32 = 4;

/// The limits on the number of waiting requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    total: usize,
    per_network: usize,
    per_site: usize,
}

impl QueueLimits {
    /// The share of a site is [`NETWORKS_PER_SITE`] times that of a network, which is at least one request.
    pub(crate) fn new(total: usize, per_network: usize) -> Self {
        let per_network = per_network.max(1);
        Self { total, per_network, per_site: per_network.saturating_mul(NETWORKS_PER_SITE as usize) }
    }
}

/// The error when the queue is full, or no turn came in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

/// A queue with one `T` for each waiting request. It has two parts: *proven* networks go first, and displace the others
/// when the queue is full.
#[derive(Debug)]
pub(crate) struct NetworkQueue<T> {
    limits: QueueLimits,
    last_number: u64,
    turn: u32,
    proven: WaitingSites<T>,
    unproven: WaitingSites<T>,
}

/// The id of a waiting request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueEntryId {
    client: ClientNetwork,
    number: u64,
}

/// The waiting requests, by site.
#[derive(Debug)]
struct WaitingSites<T> {
    total: usize,
    /// The sites with waiting requests, in the order of their turns.
    turns: VecDeque<ClientNetwork>,
    sites: HashMap<ClientNetwork, WaitingSite<T>>,
}

/// The waiting requests of one site.
#[derive(Debug)]
struct WaitingSite<T> {
    total: usize,
    /// The networks with waiting requests, in the order of their turns. They are few, because the share of a site is
    /// limited.
    networks: VecDeque<(ClientNetwork, VecDeque<WaitingRequest<T>>)>,
}

#[derive(Debug)]
struct WaitingRequest<T> {
    number: u64,
    value: T,
}

impl<T> NetworkQueue<T> {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self { limits, last_number: 0, turn: 0, proven: WaitingSites::default(), unproven: WaitingSites::default() }
    }

    /// Adds a request. Returns its id, and the request that it displaced.
    ///
    /// # Errors
    /// [`QueueFull`] when the network has used its share of the queue, or when the queue is full and no network has
    /// more requests than this one.
    pub(crate) fn push(
        &mut self,
        client: ClientNetwork,
        is_proven: bool,
        value: T,
    ) -> Result<(QueueEntryId, Option<T>), QueueFull> {
        let displaced = self.make_room(client, is_proven)?;
        self.last_number += 1;
        let number = self.last_number;
        let line = if is_proven { &mut self.proven } else { &mut self.unproven };
        line.push(client, WaitingRequest { number, value });
        Ok((QueueEntryId { client, number }, displaced))
    }

    /// Removes and returns the request whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.turn = (self.turn + 1) % TURNS_PER_UNPROVEN;
        let (first, second) = match self.turn {
            0 => (&mut self.unproven, &mut self.proven),
            _ => (&mut self.proven, &mut self.unproven),
        };
        first.pop().or_else(|| second.pop()).map(|next| next.value)
    }

    /// Removes a request, if it still waits.
    pub(crate) fn remove(&mut self, entry: QueueEntryId) -> Option<T> {
        let removed = self.proven.remove(entry.client, entry.number);
        removed.or_else(|| self.unproven.remove(entry.client, entry.number)).map(|removed| removed.value)
    }

    /// Checks that one more request of `client` may wait, and returns the request that it displaces.
    fn make_room(&mut self, client: ClientNetwork, is_proven: bool) -> Result<Option<T>, QueueFull> {
        // Requests of one network may be in both parts: it may have begun to wait before its password was right.
        let (first_network, first_site) = self.proven.count(client);
        let (second_network, second_site) = self.unproven.count(client);
        let (of_network, of_site) = (first_network + second_network, first_site + second_site);
        if client.is_known() && (of_network >= self.limits.per_network || of_site >= self.limits.per_site) {
            return Err(QueueFull);
        }
        if self.proven.total + self.unproven.total < self.limits.total {
            return Ok(None);
        }
        // A proven network displaces any unproven one. Otherwise only a site with at least two more requests is
        // displaced.
        let least = if is_proven { 1 } else { of_site + 2 };
        let displaced = self.unproven.pop_longest(least);
        let displaced = displaced.or_else(|| is_proven.then(|| self.proven.pop_longest(of_site + 2)).flatten());
        displaced.map(|displaced| Some(displaced.value)).ok_or(QueueFull)
    }

    /// Returns whether there are no requests, sites and turns.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        let is_empty = |line: &WaitingSites<T>| line.total == 0 && line.sites.is_empty() && line.turns.is_empty();
        is_empty(&self.proven) && is_empty(&self.unproven)
    }
}

impl<T> Default for WaitingSites<T> {
    fn default() -> Self {
        Self { total: 0, turns: VecDeque::new(), sites: HashMap::new() }
    }
}

impl<T> WaitingSites<T> {
    /// Returns how many requests of this network and of its site wait.
    fn count(&self, client: ClientNetwork) -> (usize, usize) {
        let Some(site) = self.sites.get(&client.site()) else { return (0, 0) };
        let network = site.networks.iter().find(|(network, _)| *network == client);
        (network.map_or(0, |(_, waiting)| waiting.len()), site.total)
    }

    fn push(&mut self, client: ClientNetwork, waiting: WaitingRequest<T>) {
        let name = client.site();
        let empty = || WaitingSite { total: 0, networks: VecDeque::new() };
        let site = self.sites.entry(name).or_insert_with(empty);
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

    /// Returns the next request: of the site and the network whose turn it is.
    fn pop(&mut self) -> Option<WaitingRequest<T>> {
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

    /// Removes the newest request of the largest network in the largest site, if that site has at least `least`
    /// requests.
    fn pop_longest(&mut self, least: usize) -> Option<WaitingRequest<T>> {
        let (name, site) = self.sites.iter().max_by_key(|(_, site)| site.total)?;
        if site.total < least {
            return None;
        }
        let (client, line) = site.networks.iter().max_by_key(|(_, line)| line.len())?;
        let (site, client, number) = (*name, *client, line.back()?.number);
        debug_assert_eq!(site, client.site());
        self.remove(client, number)
    }

    fn remove(&mut self, client: ClientNetwork, number: u64) -> Option<WaitingRequest<T>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> ClientNetwork {
        ClientNetwork::of(Some(address))
    }

    #[test]
    fn a_request_that_is_removed_leaves_nothing_behind() {
        let mut queue = NetworkQueue::new(QueueLimits::new(10, 10));
        let (entry, _) = queue.push(client("2001:db8::1"), false, 'a').unwrap();
        let (proven, _) = queue.push(client("2001:db8::1"), true, 'b').unwrap();
        assert_eq!((queue.remove(entry), queue.remove(entry)), (Some('a'), None));
        assert_eq!(queue.remove(proven), Some('b'));
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn a_client_without_an_address_has_no_part_of_its_own_and_gives_way_to_others() {
        let mut queue = NetworkQueue::new(QueueLimits::new(4, 2));
        for value in 0..4 {
            assert_eq!(queue.push(ClientNetwork::UNKNOWN, false, value).unwrap().1, None);
        }
        assert_eq!(queue.push(ClientNetwork::UNKNOWN, false, 9).unwrap_err(), QueueFull);
        assert_eq!(queue.push(client("192.0.2.1"), false, 9).unwrap().1, Some(3), "the newest");
    }
}
