//! Carriers: parcels on their way, each with a truth of its own, reported in any order and more than once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stagepost_app::ports::Clock;
use stagepost_domain::fact::TrackingFact;
use stagepost_domain::package::TrackingStatus;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use super::dice::{Dice, Shelf, lock};
use super::platform::{Note, Told, whole_second};
use crate::ManualClock;

/// What all senders of notifications stand on.
#[derive(Clone)]
pub(super) struct Ground {
    pub dice: Dice,
    pub clock: ManualClock,
    /// Notifications on their way to us.
    pub inbox: Shelf<Note>,
}

impl Ground {
    /// Sends a notification that takes its time.
    pub fn send(&self, what: Told) {
        let mut inbox = self.inbox.open();
        let not_before = later(self.clock.now(), self.dice.delay());
        inbox.push(Note { what, not_before, again: 0 });
    }
}

#[derive(Debug, Default)]
struct Journey {
    scans: Vec<(TrackingStatus, Timestamp)>,
    over: bool,
}

/// All parcels there are.
#[derive(Clone)]
pub(super) struct Carriers {
    pub ground: Ground,
    journeys: Arc<Mutex<BTreeMap<String, Journey>>>,
}

impl Carriers {
    pub fn new(ground: Ground) -> Self {
        Self { ground, journeys: Arc::default() }
    }

    /// A parcel sets out; gives its tracking number.
    pub fn set_out(&self) -> String {
        let mut journeys = lock(&self.journeys);
        let number = format!("1Z{:04}", journeys.len());
        journeys.insert(number.clone(), Journey::default());
        number
    }

    /// A parcel that is not there yet is scanned.
    pub fn scan(&self) -> Option<String> {
        let dice = &self.ground.dice;
        let mut journeys = lock(&self.journeys);
        let under_way: Vec<String> =
            journeys.iter().filter(|(_, j)| !j.over).map(|(number, _)| number.clone()).collect();
        let number = dice.pick(&under_way)?;
        let journey = journeys.get_mut(number)?;
        let last = journey.scans.last();
        let delivered = last.is_some_and(|(status, _)| *status == TrackingStatus::Delivered);
        let status = if delivered { TrackingStatus::ReturnToSender } else { next_status(dice) };
        // Carriers count in seconds; two scans are seldom of one.
        let now = whole_second(self.ground.clock.now());
        let at =
            last.map_or(now, |(_, at)| now.max(later(*at, SignedDuration::from_secs(dice.between(0, 3)))));
        journey.scans.push((status, at));
        journey.over = status == TrackingStatus::ReturnToSender
            || (status == TrackingStatus::Delivered && dice.chance(90));
        let fact = TrackingFact {
            number: number.clone(),
            carrier: Some("USPS".to_owned()),
            status,
            occurred_at: at,
            url: None,
            detail: None,
        };
        for _ in 0..1 + dice.below(2) {
            self.ground.send(Told::Tracking(fact.clone()));
        }
        Some(format!("{number} is {status:?} at {at}"))
    }

    /// Whether the parcel arrived and stayed there.
    pub fn delivered(&self, number: &str) -> bool {
        let journeys = lock(&self.journeys);
        let last = journeys.get(number).and_then(|j| j.scans.last());
        last.is_some_and(|(status, _)| *status == TrackingStatus::Delivered)
    }

    /// Whether the carrier ever said so.
    pub fn ever_delivered(&self, number: &str) -> bool {
        let journeys = lock(&self.journeys);
        let journey = journeys.get(number);
        journey.is_some_and(|j| j.scans.iter().any(|(status, _)| *status == TrackingStatus::Delivered))
    }
}

fn next_status(dice: &Dice) -> TrackingStatus {
    let before = [
        TrackingStatus::PreTransit,
        TrackingStatus::InTransit,
        TrackingStatus::OutForDelivery,
        TrackingStatus::AttemptFailed,
        TrackingStatus::Exception,
    ];
    if dice.chance(45) {
        return TrackingStatus::Delivered;
    }
    dice.pick(&before).copied().unwrap_or_default()
}
