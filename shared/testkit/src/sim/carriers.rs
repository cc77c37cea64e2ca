//! Carriers: parcels on their way, each with a truth of its own, reported in any order and more than once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use stagepost_app::ports::{ActError, CarrierAccess, Clock, Tracker, TrackerService};
use stagepost_domain::fact::TrackingFact;
use stagepost_domain::package::{PackageSeen, TrackingStatus};
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use super::dice::{Dice, Shelf, breathe, lock};
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
    /// The parcels that are reported; nothing says that all are.
    asked_for: Option<Arc<Mutex<BTreeSet<String>>>>,
}

impl Carriers {
    /// `on_request`: a parcel is reported only once somebody has asked for it.
    pub fn new(ground: Ground, on_request: bool) -> Self {
        Self { ground, journeys: Arc::default(), asked_for: on_request.then(Arc::default) }
    }

    /// Whether somebody has to ask for a parcel.
    pub fn on_request(&self) -> bool {
        self.asked_for.is_some()
    }

    /// Whether the parcel's scans are reported.
    pub fn reports(&self, number: &str) -> bool {
        self.asked_for.as_ref().is_none_or(|asked| lock(asked).contains(number))
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
        let fact = report(number, status, at);
        for _ in 0..1 + dice.below(2) {
            if self.reports(number) {
                self.ground.send(Told::Tracking(fact.clone()));
            }
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

fn report(number: &str, status: TrackingStatus, at: Timestamp) -> TrackingFact {
    TrackingFact {
        number: number.to_owned(),
        carrier: Some("USPS".to_owned()),
        status,
        occurred_at: at,
        url: None,
        detail: None,
        offset: None,
    }
}

/// A carrier service that sometimes makes the tracker and does not say so.
impl TrackerService for Carriers {
    async fn register(&self, _: &CarrierAccess, parcel: &PackageSeen) -> Result<Tracker, ActError> {
        breathe().await;
        let dice = self.ground.dice.clone();
        if dice.fault(8) {
            return Err(ActError::retry("too many requests for now"));
        }
        if dice.fault(2) {
            return Err(ActError::permanent("the key is refused"));
        }
        if dice.fault(4) {
            return Err(ActError::ambiguous("no answer, and nothing made"));
        }
        let number = parcel.number.clone().unwrap_or_default();
        if let Some(asked) = &self.asked_for {
            lock(asked).insert(number.clone());
        }
        let shown = lock(&self.journeys).get(&number).and_then(|journey| journey.scans.last().copied());
        breathe().await;
        if dice.fault(8) {
            return Err(ActError::ambiguous("no answer"));
        }
        let fact = shown.map(|(status, at)| report(&number, status, at));
        Ok(Tracker { id: format!("trk_{number}"), fact })
    }

    async fn fetch(&self, _: &CarrierAccess, _: &str) -> Result<Tracker, ActError> {
        Err(ActError::permanent("nobody here asks again"))
    }

    async fn probe(&self, _: &CarrierAccess) -> Result<(), ActError> {
        Ok(())
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
