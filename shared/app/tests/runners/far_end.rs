//! Scripted far ends: a mail provider, a merchant's URL, a vault that is none, queues, and a small sales
//! platform with a truth of its own.

use std::collections::{BTreeSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use stagepost_app::ports::{
    ActError, Answer, CarrierAccess, ChannelAccess, Clock, Doorbell, DoorbellError, FulfillError,
    FulfillRequest, Fulfilled, FulfillmentPlatform, JobDoorbell, Mail, MailError, Mailer, PlatformLook,
    PlatformShipment, Post, Ring, Scope, SecretAction, SecretError, SecretKind, Secrets, Tracker,
    TrackerService, WebhookSender,
};
use stagepost_domain::fact::{
    Coverage, Fact, FulfillmentSeen, ShipmentFact, ShipmentId, ShipmentSeen, TrackingFact,
};
use stagepost_domain::id::{JobId, ShopId};
use stagepost_domain::order::Source;
use stagepost_domain::package::PackageSeen;
use stagepost_domain::shop::Sealed;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_testkit::{ManualClock, build};
use tokio::sync::Notify;

use super::wire::{Hook, breathe};

// ---------------------------------------------------------------- mail

/// How the mail provider takes the next mail.
pub enum Take {
    /// Not at all.
    Fails(ActError),
    /// Refuses everybody's mail.
    Paused,
    /// Refuses for now, by its rate.
    TooFast,
    /// It never answers.
    Hangs,
    /// It takes its time.
    WaitsFor(Arc<Notify>),
}

#[derive(Clone, Default)]
pub struct Provider {
    sent: Arc<Mutex<Vec<Mail>>>,
    script: Arc<Mutex<VecDeque<Take>>>,
    on_send: Arc<Mutex<Option<Hook>>>,
}

impl Provider {
    /// Scripts the next mails; those beyond are taken.
    pub fn then(&self, take: Take) {
        self.script.lock().unwrap().push_back(take);
    }

    /// Does something while the next mail is being sent.
    pub fn while_sending(&self, hook: impl FnOnce() + Send + 'static) {
        *self.on_send.lock().unwrap() = Some(Box::new(hook));
    }

    /// Every mail that was handed over, in whatever way it ended.
    pub fn sent(&self) -> Vec<Mail> {
        self.sent.lock().unwrap().clone()
    }
}

impl Mailer for Provider {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        self.sent.lock().unwrap().push(mail.clone());
        let hook = self.on_send.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        let take = self.script.lock().unwrap().pop_front();
        match take {
            None => {}
            Some(Take::Fails(error)) => return Err(error.into()),
            Some(Take::Paused) => return Err(MailError::Paused { message: "sending is paused".into() }),
            Some(Take::TooFast) => {
                let after = SignedDuration::from_secs(5);
                return Err(MailError::TooFast { message: "sending too fast".into(), after });
            }
            Some(Take::Hangs) => pending().await,
            Some(Take::WaitsFor(notify)) => notify.notified().await,
        }
        Ok("message-1".to_owned())
    }
}

// ---------------------------------------------------------------- parcels

/// How the carrier service takes the next call.
pub enum Registers {
    /// Not at all.
    Fails(ActError),
    /// It makes the tracker and never answers.
    Hangs,
    /// It takes its time: that passes before it answers.
    Slowly(Hook),
}

/// A carrier service: what it is asked for, and what it shows.
#[derive(Clone, Default)]
pub struct Trackers {
    asked: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<VecDeque<Registers>>>,
    shows: Arc<Mutex<Option<TrackingFact>>>,
    fails_at: Arc<Mutex<Option<String>>>,
}

impl Trackers {
    /// Scripts the next calls; those beyond are answered.
    pub fn then(&self, takes: Registers) {
        self.script.lock().unwrap().push_back(takes);
    }

    /// What every tracker says from now on.
    pub fn show(&self, fact: TrackingFact) {
        *self.shows.lock().unwrap() = Some(fact);
    }

    /// It fails whenever it is asked for this tracker.
    pub fn fail_at(&self, tracker: &str) {
        *self.fails_at.lock().unwrap() = Some(tracker.to_owned());
    }

    /// The calls so far: key and number, or key and tracker.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn answer(&self, access: &CarrierAccess, what: &str, id: String) -> Result<Tracker, ActError> {
        self.asked.lock().unwrap().push(format!("{} {what}", access.credentials));
        breathe().await;
        if self.fails_at.lock().unwrap().as_deref() == Some(what) {
            return Err(ActError::retry("the service failed (HTTP 500)"));
        }
        let takes = self.script.lock().unwrap().pop_front();
        match takes {
            None => Ok(Tracker { id, fact: self.shows.lock().unwrap().clone() }),
            Some(Registers::Fails(error)) => Err(error),
            Some(Registers::Hangs) => pending().await,
            Some(Registers::Slowly(hook)) => {
                hook();
                Ok(Tracker { id, fact: None })
            }
        }
    }
}

impl TrackerService for Trackers {
    async fn register(&self, access: &CarrierAccess, parcel: &PackageSeen) -> Result<Tracker, ActError> {
        let number = parcel.number.clone().unwrap();
        self.answer(access, &number, format!("trk_{number}")).await
    }

    async fn fetch(&self, access: &CarrierAccess, tracker: &str) -> Result<Tracker, ActError> {
        self.answer(access, tracker, tracker.to_owned()).await
    }

    async fn probe(&self, access: &CarrierAccess) -> Result<(), ActError> {
        self.answer(access, "?", String::new()).await.map(|_| ())
    }
}

// ---------------------------------------------------------------- webhooks

/// How the merchant's receiver takes the next call.
pub enum Reply {
    /// With this status.
    Status(u16),
    /// With this status, asking for patience.
    Later(u16, i64),
    /// Not at all.
    Fails(ActError),
    /// It never answers.
    Hangs,
}

#[derive(Clone, Default)]
pub struct Receiver {
    posts: Arc<Mutex<Vec<Post>>>,
    script: Arc<Mutex<VecDeque<Reply>>>,
}

impl Receiver {
    /// Scripts the next calls; those beyond are answered 204.
    pub fn then(&self, reply: Reply) {
        self.script.lock().unwrap().push_back(reply);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

impl WebhookSender for Receiver {
    async fn post(&self, post: &Post, silent: impl Future<Output = ()> + Send) -> Result<Answer, ActError> {
        self.posts.lock().unwrap().push(post.clone());
        breathe().await;
        let reply = self.script.lock().unwrap().pop_front();
        match reply {
            None => Ok(Answer::of(204)),
            Some(Reply::Status(status)) => Ok(Answer::of(status)),
            Some(Reply::Later(status, seconds)) => {
                Ok(Answer { retry_after: Some(SignedDuration::from_secs(seconds)), ..Answer::of(status) })
            }
            Some(Reply::Fails(error)) => Err(error),
            Some(Reply::Hangs) => {
                silent.await;
                pending().await
            }
        }
    }
}

// ---------------------------------------------------------------- secrets, queues

/// A sealed secret that no key opens.
pub const UNOPENABLE: &str = "sealed with another key";

/// Seals nothing.
#[derive(Clone, Copy)]
pub struct OpenVault;

impl Secrets for OpenVault {
    async fn seal(&self, _: Scope<'_>, _: SecretKind, plain: &str) -> Result<Sealed, SecretError> {
        Ok(Sealed(plain.to_owned()))
    }

    async fn open(&self, _: Scope<'_>, kind: SecretKind, sealed: &Sealed) -> Result<String, SecretError> {
        if sealed.0 == UNOPENABLE {
            return Err(SecretError::hopeless(kind, SecretAction::Open, "sealed with another key"));
        }
        Ok(sealed.0.clone())
    }
}

#[derive(Clone, Default)]
pub struct Bell {
    rings: Arc<Mutex<Vec<Ring>>>,
    broken: Arc<Mutex<bool>>,
}

impl Bell {
    /// The rings since the last look.
    pub fn heard(&self) -> Vec<Ring> {
        std::mem::take(&mut self.rings.lock().unwrap())
    }

    /// The queue takes nothing, or takes everything again.
    pub fn break_down(&self, broken: bool) {
        *self.broken.lock().unwrap() = broken;
    }
}

impl Doorbell for Bell {
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        if *self.broken.lock().unwrap() {
            return Err(DoorbellError("injected".to_owned()));
        }
        self.rings.lock().unwrap().extend_from_slice(rings);
        Ok(())
    }
}

impl JobDoorbell for Bell {
    async fn ring_job(&self, _: &ShopId, _: &JobId) -> Result<(), DoorbellError> {
        Ok(())
    }
}

// ---------------------------------------------------------------- a sales platform

/// What becomes of a call whose answer never comes.
#[derive(Debug, Clone, Copy)]
pub enum Lands {
    Never,
    Now,
    /// So many seconds later.
    After(i64),
}

/// How the platform takes one fulfillment call.
#[derive(Debug, Clone)]
pub enum Call {
    /// As it should.
    Works,
    /// It does nothing, and says so.
    Fails(ActError),
    /// No answer.
    Lost(Lands),
    /// Neither an answer nor an end.
    Hangs(Lands),
}

/// One fulfillment as the platform has it.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: ShipmentId,
    pub at: Timestamp,
    pub updated: Timestamp,
    pub active: bool,
    pub numbers: Vec<String>,
    pub marker: Option<String>,
    pub part: usize,
}

struct Letter {
    lands: Timestamp,
    part: usize,
    request: FulfillRequest,
}

struct Truth {
    /// WooCommerce: one completion with our run's id in the order's metadata. Else Shopify: an id per part.
    marks: bool,
    parts: usize,
    made: Vec<Made>,
    on_their_way: Vec<Letter>,
    blocked: Option<String>,
    /// The last part is not for us to fulfill, and why.
    withheld: Option<String>,
    updated: Timestamp,
    looks: usize,
    calls: usize,
    looked_complete: bool,
    calling: bool,
    calls_to_come: VecDeque<Call>,
    looks_to_come: VecDeque<ActError>,
    after_look: Option<Hook>,
    before_answer: Option<Hook>,
}

/// A sales platform with one order, `#1001`; clones share it.
#[derive(Clone)]
pub struct Store {
    clock: ManualClock,
    /// How far its clock is behind ours.
    behind: SignedDuration,
    truth: Arc<Mutex<Truth>>,
}

/// Nobody else calls while this lives.
struct Calling(Arc<Mutex<Truth>>);

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.lock().unwrap().calling = false;
    }
}

impl Truth {
    fn remaining(&self) -> Vec<usize> {
        let done: BTreeSet<usize> = self.made.iter().filter(|m| m.active).map(|m| m.part).collect();
        (0..self.parts).filter(|part| !done.contains(part)).collect()
    }

    fn coverage(&self) -> Coverage {
        match (!self.made.iter().any(|m| m.active), self.remaining().is_empty()) {
            (_, true) => Coverage::Complete,
            (true, false) => Coverage::None,
            (false, false) => Coverage::Partial,
        }
    }

    fn make(
        &mut self,
        now: Timestamp,
        part: usize,
        numbers: Vec<String>,
        marker: Option<String>,
    ) -> ShipmentId {
        // Two changes are never of the same millisecond, so that each notification has its own time.
        let at = now.max(self.updated + SignedDuration::from_millis(1));
        let text = if self.marks { format!("completed@{at}") } else { format!("{}", 7000 + self.made.len()) };
        let id = ShipmentId(text);
        self.made.push(Made { id: id.clone(), at, updated: at, active: true, numbers, marker, part });
        self.updated = at;
        id
    }

    fn land(&mut self, now: Timestamp, part: usize, request: &FulfillRequest) -> Option<ShipmentId> {
        let open = self.remaining().contains(&part);
        let numbers = request.packages.iter().filter_map(|p| p.number.clone()).collect();
        open.then(|| self.make(now, part, numbers, Some(request.run.to_string())))
    }
}

impl Store {
    pub fn new(clock: ManualClock) -> Self {
        let truth = Truth {
            marks: false,
            parts: 1,
            made: Vec::new(),
            on_their_way: Vec::new(),
            blocked: None,
            withheld: None,
            updated: build::at(build::START),
            looks: 0,
            calls: 0,
            looked_complete: false,
            calling: false,
            calls_to_come: VecDeque::new(),
            looks_to_come: VecDeque::new(),
            after_look: None,
            before_answer: None,
        };
        Self { clock, behind: SignedDuration::ZERO, truth: Arc::new(Mutex::new(truth)) }
    }

    /// The same with a clock that is behind.
    pub fn behind(&mut self, seconds: i64) {
        self.behind = SignedDuration::from_secs(seconds);
    }

    /// Keeps our run's id, like WooCommerce.
    pub fn keeps_marks(&self) {
        self.truth().marks = true;
    }

    /// Its order ships from so many places: one call each.
    pub fn in_parts(&self, parts: usize) {
        self.truth().parts = parts;
    }

    /// Scripts the next calls; those beyond work.
    pub fn then(&self, call: Call) {
        self.truth().calls_to_come.push_back(call);
    }

    /// Scripts the next looks; those beyond work.
    pub fn look_fails(&self, error: ActError) {
        self.truth().looks_to_come.push_back(error);
    }

    /// No more faults.
    pub fn heal(&self) {
        let mut truth = self.truth();
        truth.calls_to_come.clear();
        truth.looks_to_come.clear();
    }

    /// Does something after the next look and before what follows it.
    pub fn after_look(&self, hook: impl FnOnce() + Send + 'static) {
        self.truth().after_look = Some(Box::new(hook));
    }

    /// Does something after the next call took effect and before its answer comes.
    pub fn before_answer(&self, hook: impl FnOnce() + Send + 'static) {
        self.truth().before_answer = Some(Box::new(hook));
    }

    /// Stops the order, or releases it.
    pub fn block(&self, why: Option<&str>) {
        self.truth().blocked = why.map(str::to_owned);
    }

    /// Keeps the last part from us.
    pub fn withhold(&self, why: &str) {
        self.truth().withheld = Some(why.to_owned());
    }

    /// The merchant fulfills what remains, in one fulfillment.
    pub fn merchant_fulfills(&self, number: &str) {
        let now = self.now();
        let mut truth = self.truth();
        for part in truth.remaining() {
            truth.make(now, part, vec![number.to_owned()], None);
        }
    }

    /// The merchant fulfills one part of what remains.
    pub fn merchant_fulfills_a_part(&self, number: &str) {
        let now = self.now();
        let mut truth = self.truth();
        if let Some(part) = truth.remaining().first().copied() {
            truth.make(now, part, vec![number.to_owned()], None);
        }
    }

    /// The merchant takes back the newest fulfillment.
    pub fn merchant_takes_back(&self) {
        let now = self.now();
        let mut truth = self.truth();
        let at = now.max(truth.updated + SignedDuration::from_millis(1));
        truth.updated = at;
        if let Some(made) = truth.made.last_mut() {
            (made.active, made.updated) = (false, at);
        }
    }

    /// Every fulfillment there is.
    pub fn made(&self) -> Vec<Made> {
        self.truth().made.clone()
    }

    /// How many calls reached the platform.
    pub fn calls(&self) -> usize {
        self.truth().calls
    }

    pub fn looks(&self) -> usize {
        self.truth().looks
    }

    pub fn coverage(&self) -> Coverage {
        self.truth().coverage()
    }

    /// What it would notify now: the order.
    pub fn order_fact(&self) -> Fact {
        let truth = self.truth();
        let mut fact = build::order_fact(1001, 0);
        fact.updated_at = Some(truth.updated);
        let shipments = truth.made.iter().map(seen).collect();
        let marker = truth.made.last().filter(|_| truth.marks).and_then(|made| made.marker.clone());
        let coverage = truth.coverage();
        fact.fulfillment = FulfillmentSeen { coverage, shipments, marker, ..FulfillmentSeen::default() };
        build::told(fact)
    }

    /// What it would notify of its last fulfillment on its own.
    pub fn shipment_fact(&self) -> Fact {
        let shipment = seen(self.truth().made.last().expect("a fulfillment to tell of"));
        Fact::Shipment(ShipmentFact {
            source: build::source(1001),
            number: Some("#1001".to_owned()),
            shipment,
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now() - self.behind
    }

    fn truth(&self) -> MutexGuard<'_, Truth> {
        let now = self.now();
        let mut truth = self.truth.lock().unwrap();
        let (landed, still): (Vec<_>, Vec<_>) =
            truth.on_their_way.drain(..).partition(|letter| letter.lands <= now);
        truth.on_their_way = still;
        for letter in landed {
            truth.land(letter.lands, letter.part, &letter.request);
        }
        truth
    }

    fn take(&self, part: usize, request: &FulfillRequest) -> (Call, Option<ShipmentId>) {
        let now = self.now();
        let mut truth = self.truth();
        truth.calls += 1;
        let call = truth.calls_to_come.pop_front().unwrap_or(Call::Works);
        let made = match &call {
            Call::Fails(_) | Call::Lost(Lands::Never) | Call::Hangs(Lands::Never) => None,
            Call::Works | Call::Lost(Lands::Now) | Call::Hangs(Lands::Now) => truth.land(now, part, request),
            Call::Lost(Lands::After(s)) | Call::Hangs(Lands::After(s)) => {
                let lands = now + SignedDuration::from_secs(*s);
                truth.on_their_way.push(Letter { lands, part, request: request.clone() });
                None
            }
        };
        (call, made)
    }
}

fn seen(made: &Made) -> ShipmentSeen {
    let packages = made.numbers.iter().map(|n| build::parcel(n)).collect();
    ShipmentSeen {
        id: made.id.clone(),
        updated_at: made.updated,
        active: made.active,
        packages,
        report: None,
    }
}

impl FulfillmentPlatform for Store {
    type Work = Vec<usize>;

    async fn look(&self, _: &ChannelAccess, _: &Source) -> Result<PlatformLook<Vec<usize>>, ActError> {
        breathe().await;
        let (look, hook) = {
            let mut truth = self.truth();
            truth.looks += 1;
            if let Some(error) = truth.looks_to_come.pop_front() {
                return Err(error);
            }
            let remaining = truth.remaining();
            truth.looked_complete = remaining.is_empty();
            let marks = truth.marks;
            let shipments = truth.made.iter().map(|made| PlatformShipment {
                id: made.id.clone(),
                created_at: made.at,
                active: made.active,
                numbers: made.numbers.clone(),
                marker: marks.then(|| made.marker.clone().unwrap_or_default()),
            });
            let last = truth.parts.saturating_sub(1);
            let withheld = truth.withheld.clone().filter(|_| remaining.contains(&last));
            let ours = remaining.iter().copied().filter(|part| withheld.is_none() || *part != last);
            let ours: Vec<usize> = ours.filter(|_| truth.blocked.is_none()).collect();
            let look = PlatformLook {
                coverage: truth.coverage(),
                shipments: shipments.collect(),
                work: (!ours.is_empty()).then_some(ours),
                blocked: truth.blocked.clone().or(withheld),
            };
            (look, truth.after_look.take())
        };
        if let Some(hook) = hook {
            hook();
        }
        breathe().await;
        Ok(look)
    }

    async fn fulfill(
        &self,
        _: &ChannelAccess,
        _: &Source,
        work: &Vec<usize>,
        request: &FulfillRequest,
    ) -> Result<Fulfilled, FulfillError> {
        {
            let mut truth = self.truth();
            assert!(!truth.looked_complete, "a call although the look showed that nothing remains");
            assert!(!truth.calling, "two calls at once");
            truth.calling = true;
        }
        let _calling = Calling(Arc::clone(&self.truth));
        let mut made = Vec::new();
        for part in work {
            breathe().await;
            let gone = !self.truth().remaining().contains(part);
            let (call, id) = self.take(*part, request);
            let hook = self.truth().before_answer.take();
            if let Some(hook) = hook {
                hook();
            }
            breathe().await;
            let failed = |made: &Vec<ShipmentId>, already_done, error| {
                Err(FulfillError { made: made.clone(), already_done, error })
            };
            match call {
                // A completed order takes another completion as done, and whose it was is in doubt as well.
                Call::Works if gone && request.in_doubt && self.truth().marks => {
                    made.extend(self.truth().made.last().map(|m| m.id.clone()));
                }
                Call::Works if gone => {
                    return failed(&made, true, ActError::permanent("nothing is left to fulfill"));
                }
                Call::Works => made.extend(id),
                Call::Fails(error) => return failed(&made, false, error),
                Call::Lost(_) => return failed(&made, false, ActError::ambiguous("no answer")),
                Call::Hangs(_) => pending().await,
            }
        }
        Ok(Fulfilled { shipments: made, coverage: self.coverage() })
    }
}
