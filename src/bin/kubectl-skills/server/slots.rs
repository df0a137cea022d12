//! Decides which connections stay open: a bounded table with a share for each address. Accepting and closing them is left
//! to [`super::connections`].
//!
//! A connection costs its peer nothing until it sends a request, so those that have sent none are closed first to make
//! room, then idle ones, then those whose request comes in slowly. A connection that is being answered is never closed.
//! An address holds at most its share, and makes room for its own connections; other addresses do not notice.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::metrics::{Metric, Metrics};

/// A connection is left alone for so long in whatever it does: a burst of honest clients is no reason to close any.
const GRACE: Duration = Duration::from_secs(1);
/// TLS handshakes of one address at the same time; the others wait. They cost CPU, on which every answer waits.
const HANDSHAKES: usize = 16;
/// Between two log lines about the same shortage.
const LOG_AGAIN: Duration = Duration::from_secs(60);
/// So long after a connection was refused for lack of room the server counts as full.
const REFUSING: Duration = Duration::from_secs(5);

/// What a connection does, in the order in which connections are closed to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has sent no request: a handshake, half a request's head, or nothing at all.
    New,
    /// It has been answered and sent nothing since.
    Idle,
    /// It sends the body of a request.
    Receiving,
    /// Its request is being answered.
    Answering,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Idle => "idle",
            Self::Receiving => "receiving",
            Self::Answering => "answering",
        }
    }
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// An address holds its whole share. Others are served as ever.
    Share(IpAddr),
    /// All connections are taken.
    All,
}

#[derive(Debug)]
struct Held {
    peer: IpAddr,
    phase: Phase,
    since: Instant,
    evicted: Arc<Notify>,
}

#[derive(Debug)]
struct Peer {
    held: usize,
    handshakes: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<u64, Held>,
    peers: HashMap<IpAddr, Peer>,
    next: u64,
    /// Refused for lack of any room, last.
    refused: Option<Instant>,
    logged: Option<Instant>,
}

/// The table.
#[derive(Debug)]
pub struct Slots {
    connections: usize,
    share: usize,
    /// Only a listener that others can reach is worth metrics.
    metrics: Option<Metrics>,
    table: Mutex<Table>,
}

/// A place in the table, until it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    id: u64,
    evicted: Arc<Notify>,
    handshakes: Arc<Semaphore>,
}

impl Slots {
    /// A table for so many connections, of which one address holds at most `share`.
    pub fn new(connections: usize, share: usize, metrics: Option<Metrics>) -> Arc<Self> {
        Arc::new(Self { connections, share, metrics, table: Mutex::default() })
    }

    /// A place for a new connection; another one may be closed for it. None: close the new one.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Slot> {
        let peer = peer.to_canonical();
        let now = Instant::now();
        let mut table = self.table();
        let mut shortage = None;
        let mut victim = None;
        if table.peers.get(&peer).is_some_and(|known| known.held >= self.share) {
            shortage = Some(Shortage::Share(peer));
            victim = table.victim(peer, now);
        } else if table.held.len() >= self.connections {
            shortage = Some(Shortage::All);
            victim = table.victim_of_largest(now);
        }
        if let Some(shortage) = shortage {
            self.log(&mut table, shortage, now);
            let Some(victim) = victim else {
                if shortage == Shortage::All {
                    table.refused = Some(now);
                }
                self.count(Metric::ConnectionsRefused, &[]);
                return None;
            };
            if let Some(phase) = table.evict(victim) {
                self.count(Metric::ConnectionsEvicted, &[phase.name()]);
            }
        }
        let id = table.next;
        table.next += 1;
        let evicted = Arc::<Notify>::default();
        let known = table
            .peers
            .entry(peer)
            .or_insert_with(|| Peer { held: 0, handshakes: Arc::new(Semaphore::new(HANDSHAKES)) });
        known.held += 1;
        let handshakes = Arc::clone(&known.handshakes);
        table.held.insert(id, Held { peer, phase: Phase::New, since: now, evicted: Arc::clone(&evicted) });
        self.count(Metric::Connections, &[]);
        self.report(&table);
        Some(Slot { slots: Arc::clone(self), id, evicted, handshakes })
    }

    /// Closes the connection that can best be missed, as when file descriptors have run out.
    pub fn make_room(&self) {
        let mut table = self.table();
        if let Some(phase) = table.victim_of_largest(Instant::now()).and_then(|victim| table.evict(victim)) {
            self.count(Metric::ConnectionsEvicted, &[phase.name()]);
        }
    }

    /// Which shortage there is now.
    pub fn shortage(&self) -> Option<Shortage> {
        self.table().shortage(self)
    }

    /// Whether connections of any address are being refused.
    pub fn is_refusing(&self) -> bool {
        self.table().refused.is_some_and(|at| at.elapsed() < REFUSING)
    }

    /// A shortage in words.
    pub fn explain(&self, shortage: Shortage) -> String {
        match shortage {
            Shortage::Share(peer) => format!(
                "full: {peer} holds {} connections, its whole share; its own are closed to make room, other addresses are \
                 served",
                self.share
            ),
            Shortage::All => format!("full: all {} connections are taken", self.connections),
        }
    }

    fn log(&self, table: &mut Table, shortage: Shortage, now: Instant) {
        if table.logged.is_none_or(|at| now.duration_since(at) >= LOG_AGAIN) {
            table.logged = Some(now);
            tracing::warn!("connections are {}", self.explain(shortage));
        }
    }

    fn count(&self, metric: Metric, labels: &[&str]) {
        if let Some(metrics) = &self.metrics {
            metrics.count(metric, labels);
        }
    }

    fn report(&self, table: &Table) {
        if let Some(metrics) = &self.metrics {
            metrics.set(Metric::ConnectionsOpen, &[], table.held.len() as f64);
            metrics.set(Metric::ConnectionsFull, &[], f64::from(table.shortage(self).is_some()));
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn shortage(&self, slots: &Slots) -> Option<Shortage> {
        if self.held.len() >= slots.connections {
            return Some(Shortage::All);
        }
        let full = self.peers.iter().find(|(_, peer)| peer.held >= slots.share);
        full.map(|(peer, _)| Shortage::Share(*peer))
    }

    /// Which connection of an address can best be missed.
    fn victim(&self, peer: IpAddr, now: Instant) -> Option<u64> {
        self.held
            .iter()
            .filter(|(_, held)| held.peer == peer && held.phase != Phase::Answering)
            .filter(|(_, held)| now.duration_since(held.since) >= GRACE)
            .min_by_key(|(id, held)| (held.phase, held.since, **id))
            .map(|(id, _)| *id)
    }

    /// The same, of whichever address holds most.
    fn victim_of_largest(&self, now: Instant) -> Option<u64> {
        let mut peers: Vec<(&IpAddr, &Peer)> = self.peers.iter().collect();
        peers.sort_by_key(|(address, peer)| (std::cmp::Reverse(peer.held), **address));
        peers.into_iter().find_map(|(address, _)| self.victim(*address, now))
    }

    fn evict(&mut self, id: u64) -> Option<Phase> {
        let held = self.remove(id)?;
        held.evicted.notify_one();
        Some(held.phase)
    }

    fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Some(peer) = self.peers.get_mut(&held.peer) {
            peer.held -= 1;
            if peer.held == 0 {
                self.peers.remove(&held.peer);
            }
        }
        Some(held)
    }
}

impl Slot {
    /// Says what the connection does from now on.
    pub fn enter(&self, phase: Phase) {
        if let Some(held) = self.slots.table().held.get_mut(&self.id) {
            (held.phase, held.since) = (phase, Instant::now());
        }
    }

    /// Whether the connection has sent no request yet.
    pub fn is_new(&self) -> bool {
        self.slots.table().held.get(&self.id).is_some_and(|held| held.phase == Phase::New)
    }

    /// Returns when the connection is to be closed.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Waits for the address's turn to make a TLS handshake.
    pub async fn handshake(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.handshakes).acquire_owned().await.ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.slots.table();
        table.remove(self.id);
        self.slots.report(&table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    async fn is_closed(slot: &Slot) -> bool {
        tokio::time::timeout(Duration::from_millis(1), slot.evicted()).await.is_ok()
    }

    /// What one client does must not reach another: its newest connections push out its own, idle before slow.
    #[tokio::test(start_paused = true)]
    async fn an_address_at_its_share_makes_room_among_its_own() {
        let slots = Slots::new(8, 4, None);
        let other = slots.admit(peer(2)).unwrap();
        let held: Vec<Slot> = (0..4).map(|_| slots.admit(peer(1)).unwrap()).collect();
        for (slot, phase) in held.iter().zip([Phase::Answering, Phase::Receiving, Phase::Idle, Phase::New]) {
            slot.enter(phase);
        }
        assert_eq!(slots.shortage(), Some(Shortage::Share(peer(1))));
        assert!(slots.admit(peer(1)).is_none(), "nobody is closed within the grace time");
        let mut newer = Vec::new();
        for victim in [3, 2, 1] {
            tokio::time::advance(GRACE).await;
            newer.push(slots.admit(peer(1)).unwrap());
            newer.last().unwrap().enter(Phase::Answering);
            assert!(is_closed(&held[victim]).await, "{victim}");
        }
        tokio::time::advance(GRACE).await;
        assert!(slots.admit(peer(1)).is_none(), "whoever is being answered is never closed");
        assert!(!is_closed(&held[0]).await && !is_closed(&other).await);
        assert!(!slots.is_refusing(), "other addresses are served");
        drop((held, newer));
        assert_eq!(slots.shortage(), None);
    }

    /// With many addresses the one that holds most makes room, and nobody is refused while there is anyone to close.
    #[tokio::test(start_paused = true)]
    async fn a_full_table_closes_connections_of_the_largest_holder() {
        let slots = Slots::new(4, 3, None);
        let small = slots.admit(peer(1)).unwrap();
        let large: Vec<Slot> = (0..3).map(|_| slots.admit(peer(2)).unwrap()).collect();
        tokio::time::advance(GRACE).await;
        let new = slots.admit(peer(3)).unwrap();
        assert!(is_closed(&large[0]).await && !is_closed(&small).await);
        assert_eq!(slots.shortage(), Some(Shortage::All));
        assert!(!slots.is_refusing());
        for slot in large.iter().chain([&small, &new]) {
            slot.enter(Phase::Answering);
        }
        assert!(slots.admit(peer(4)).is_none() && slots.is_refusing());
        tokio::time::advance(REFUSING).await;
        assert!(!slots.is_refusing());
    }
}
