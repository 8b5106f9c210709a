//! Places of connections: as many as the options allow, and who has to leave when they are taken.
//!
//! A connection that waits for a request, or whose request does not arrive, gives its place to the next one; one whose request
//! is being answered keeps it. When all are kept, some spare places are left, where the server says no more than that it is
//! there, and that it is busy.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Places beside those of the options.
const SPARE: usize = 16;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Doing {
    /// It waits for a request, or for the whole head of one.
    Idle,
    /// The body of a request arrives.
    Arriving,
    /// A request is answered.
    Running,
}

/// One connection's place; it is free once this is gone.
pub(super) struct Place {
    places: Arc<Places>,
    seat: Arc<Seat>,
}

/// What is known of a connection from outside.
struct Seat {
    id: u64,
    peer: IpAddr,
    is_spare: bool,
    doing: AtomicU8,
    since: Mutex<Instant>,
    leave: Notify,
}

/// All places.
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    next_id: u64,
    seats: HashMap<u64, Arc<Seat>>,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a connection from `peer`, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>, peer: IpAddr) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_take(peer) {
                return place;
            }
            freed.await;
        }
    }

    fn try_take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        let is_full = |taken: &Taken| taken.seats.values().filter(|seat| !seat.is_spare).count() >= self.most;
        if is_full(&taken) {
            taken.free_one(false);
        }
        let is_spare = is_full(&taken);
        if is_spare && taken.seats.len() >= self.most + SPARE && !taken.free_one(true) {
            return None;
        }
        let id = taken.next_id;
        taken.next_id += 1;
        let doing = AtomicU8::new(Doing::Idle as u8);
        let seat = Seat { id, peer, is_spare, doing, since: Mutex::new(Instant::now()), leave: Notify::new() };
        let seat = Arc::new(seat);
        taken.seats.insert(id, seat.clone());
        Some(Place { places: self.clone(), seat })
    }

    /// Frees a place, where one does nothing: the system has no more file descriptors.
    pub(super) fn free_one(&self) {
        let mut taken = self.lock();
        let _ = taken.free_one(false) || taken.free_one(true);
    }

    pub(super) fn n_running(&self) -> usize {
        self.lock().seats.values().filter(|seat| seat.doing() == Doing::Running).count()
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Tells a connection to leave: of the address that has the most of them, one without a request before one whose request
    /// arrives, and the one that is so for longest.
    fn free_one(&mut self, spare: bool) -> bool {
        let mut n_of = HashMap::<IpAddr, usize>::new();
        for seat in self.seats.values() {
            *n_of.entry(seat.peer).or_default() += 1;
        }
        let candidates = self.seats.values().filter(|seat| seat.is_spare == spare && seat.doing() != Doing::Running);
        let first = candidates.min_by_key(|seat| (usize::MAX - n_of[&seat.peer], seat.doing(), seat.since()));
        let Some(seat) = first.cloned() else { return false };
        self.seats.remove(&seat.id);
        seat.leave.notify_one();
        true
    }
}

impl Seat {
    fn doing(&self) -> Doing {
        match self.doing.load(Ordering::SeqCst) {
            0 => Doing::Idle,
            1 => Doing::Arriving,
            _ => Doing::Running,
        }
    }

    fn since(&self) -> Instant {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether no more than signs of life can be had here.
    pub(super) fn is_spare(&self) -> bool {
        self.seat.is_spare
    }

    pub(super) fn is_running(&self) -> bool {
        self.seat.doing() == Doing::Running
    }

    /// Done when the place is somebody else's.
    pub(super) async fn lost(&self) {
        self.seat.leave.notified().await;
    }

    pub(super) fn set(&self, doing: Doing) {
        *self.seat.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.seat.doing.store(doing as u8, Ordering::SeqCst);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().seats.remove(&self.seat.id);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn is_lost(place: &Place) -> bool {
        !place.places.lock().seats.contains_key(&place.seat.id)
    }

    #[test]
    fn who_does_nothing_for_longest_leaves_first() {
        let places = Places::new(3);
        let taken: Vec<Place> = (0..3).map(|_| places.try_take(HERE).unwrap()).collect();
        taken[0].set(Doing::Arriving);
        taken[1].set(Doing::Running);
        let fourth = places.try_take(HERE).unwrap();
        assert_eq!(taken.iter().map(is_lost).collect::<Vec<_>>(), [false, false, true]);
        fourth.set(Doing::Running);
        let fifth = places.try_take(HERE).unwrap();
        assert!(is_lost(&taken[0]) && !is_lost(&taken[1]) && !is_lost(&fourth) && !fifth.is_spare());
    }

    #[test]
    fn who_has_many_gives_before_who_has_one() {
        let places = Places::new(3);
        let one = places.try_take(THERE).unwrap();
        let many = [places.try_take(HERE).unwrap(), places.try_take(HERE).unwrap()];
        let _next = places.try_take(HERE).unwrap();
        assert!(!is_lost(&one) && is_lost(&many[0]) && !is_lost(&many[1]));
    }

    #[test]
    fn when_all_are_at_work_spare_places_are_left() {
        let places = Places::new(2);
        let running: Vec<Place> = (0..2).map(|_| places.try_take(HERE).unwrap()).collect();
        running.iter().for_each(|place| place.set(Doing::Running));
        let spare: Vec<Place> = (0..SPARE).map(|_| places.try_take(HERE).unwrap()).collect();
        assert!(spare.iter().all(Place::is_spare) && places.n_running() == 2);
        let next = places.try_take(HERE).unwrap();
        assert!(next.is_spare() && is_lost(&spare[0]) && !running.iter().any(is_lost));
        spare.iter().chain([&next]).for_each(|place| place.set(Doing::Running));
        assert!(places.try_take(HERE).is_none(), "there is none at all");
        drop(running);
        assert!(!places.try_take(HERE).unwrap().is_spare());
    }
}
