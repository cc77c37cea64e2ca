//! Trackers: asking a carrier service to report a parcel, and asking again where its notifications were lost.

use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::fact::TrackingFact;
use stagepost_domain::id::{CarrierId, OrderId, PackageId, ShopId};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::package::Package;
use stagepost_domain::run::{AttemptOutcome, RunId, RunState, Target};

use crate::Core;
use crate::apply::{ApplyError, Outcome};
use crate::carrier::to_orders;
use crate::ports::{
    ActError, CarrierAccess, ConfigStore, InboundStore, OrderStore, RunStore, SecretKind, Secrets,
    StoreError, Tracker, TrackerService,
};
use crate::run::{
    Answered, Opened, Rung, RunnerError, act_until, aside_if_hopeless, cancelled_since, claim, finish, open,
    skip,
};

/// Registers one package: look again → claim → register → take in what the tracker says → record.
///
/// Registering twice is harmless (integrations §5.1), so an attempt without an answer is tried again. A hold
/// stops what an order does to others; a tracker only listens, so it does not wait for the release.
///
/// # Errors
/// Nothing could be decided; the doorbell may ring again.
pub async fn register<S, K, T>(
    core: &Core<S>,
    secrets: &K,
    service: &T,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore,
    K: Secrets,
    T: TrackerService,
{
    aside_if_hopeless(core, id, registered(core, secrets, service, id).await).await
}

async fn registered<S, K, T>(
    core: &Core<S>,
    secrets: &K,
    service: &T,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore,
    K: Secrets,
    T: TrackerService,
{
    let Target::RegisterTracker(carrier, package) = &id.key.target else {
        return Ok(Answered::Unknown.into());
    };
    let until = act_until(Action::RegisterTracker, core.now());
    let Opened { event, run } = match open(core, id).await? {
        Ok(opened) => opened,
        Err(answered) => return Ok(answered.into()),
    };
    let package = match wanted(core, &event, package).await? {
        Ok(package) => package,
        Err(why) => return Ok(Rung::of(&event, skip(core, id, &run, why).await?)),
    };
    let access = match access(core, secrets, &event.shop, carrier).await? {
        Some(access) => access,
        None => return Ok(Rung::of(&event, skip(core, id, &run, SkipReason::TargetGone).await?)),
    };
    let attempt = core.attempt()?;
    if core.now() >= until {
        return Err(RunnerError::Late);
    }
    let claimed = match claim(core, id, &run, &attempt).await? {
        Ok(claimed) => claimed,
        Err(answered) => return Ok(Rung::of(&event, answered)),
    };
    let tracker = match access {
        Ok(access) => service.register(&access, &package.seen).await,
        Err(why) => Err(why),
    };
    let outcome = match tracker {
        Ok(tracker) => taken_in(core, &event.shop, tracker).await,
        Err(ActError { disposition, message: error }) => AttemptOutcome::Failure { disposition, error },
    };
    Ok(Rung::of(&event, finish(core, id, &claimed, &attempt, &outcome).await?))
}

/// The package as it is now, or what speaks against registering it.
async fn wanted<S: OrderStore>(
    core: &Core<S>,
    event: &Event,
    id: &PackageId,
) -> Result<Result<Package, SkipReason>, StoreError> {
    let order = core.store.order(&event.order).await?;
    if order.is_some_and(|order| cancelled_since(event, &order)) {
        return Ok(Err(SkipReason::OrderCancelled));
    }
    let packages = core.store.packages(&event.order).await?;
    Ok(match packages.into_iter().find(|p| p.id == *id && !p.removed) {
        None => Err(SkipReason::PackageRemoved),
        Some(p) if p.delivered() => Err(SkipReason::AlreadyDelivered),
        // It was taken away and told again: the later event has it registered.
        Some(Package { registered_by: Some(by_seq), .. }) if by_seq > event.seq => {
            Err(SkipReason::Superseded { by_seq })
        }
        Some(package) => Ok(package),
    })
}

/// The integration with its key, or why it cannot be called; `None` if the shop has it no more.
pub(crate) async fn access<S, K>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: &CarrierId,
) -> Result<Option<Result<CarrierAccess, ActError>>, StoreError>
where
    S: ConfigStore,
    K: Secrets,
{
    let Some(carrier) = core.store.carrier(id).await?.filter(|c| c.shop == *shop) else { return Ok(None) };
    let Some(sealed) = carrier.credentials.clone() else {
        let why = "the carrier integration has no API key any more; add one, then retry";
        return Ok(Some(Err(ActError::permanent(why))));
    };
    // Tried again, but not for ever: the key service may be away, or the key be another one.
    Ok(Some(match secrets.open(shop.into(), SecretKind::CarrierCredentials, &sealed).await {
        Ok(credentials) => Ok(CarrierAccess { carrier, credentials }),
        Err(_) => Err(ActError::retry("the carrier integration's API key cannot be opened")),
    }))
}

/// What the tracker says already is applied before the run ends: should it be lost, the whole is done again.
async fn taken_in<S>(core: &Core<S>, shop: &ShopId, tracker: Tracker) -> AttemptOutcome
where
    S: OrderStore + ConfigStore + InboundStore,
{
    match told(core, shop, tracker.fact.as_ref()).await {
        Ok(_) => AttemptOutcome::Success { detail: tracker.id },
        Err(error) => AttemptOutcome::Failure {
            disposition: error.disposition(),
            error: format!("registered, but what the tracker says could not be applied: {error}"),
        },
    }
}

async fn told<S>(
    core: &Core<S>,
    shop: &ShopId,
    fact: Option<&TrackingFact>,
) -> Result<Vec<(OrderId, Outcome)>, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    match fact {
        Some(fact) => to_orders(core, shop, fact, core.now()).await,
        None => Ok(Vec::new()),
    }
}

/// What asking for a package's news came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refetched {
    /// There is no such package, it has news, or it waits for none.
    NotOverdue,
    /// It was not registered, or not with success: its run tells.
    NoTracker,
    /// What the tracker says, applied: one outcome per order that holds the parcel.
    Applied(Vec<(OrderId, Outcome)>),
}

/// A package's news could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum RefetchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the tracker says could not be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The carrier service did not give it.
    #[error(transparent)]
    Service(#[from] ActError),
}

impl RefetchError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store(e) => e.disposition(),
            Self::Apply(e) => e.disposition(),
            // Nothing but a read was asked for.
            Self::Service(ActError { disposition: Disposition::Ambiguous, .. }) => Disposition::RETRY,
            Self::Service(e) => e.disposition,
        }
    }
}

/// Asks the carrier service for a package of which nothing was heard for two days
/// ([`Package::is_overdue`]): services lose notifications too. Writes nothing when there is no news, so the
/// caller sets the pace; once a day is enough.
///
/// # Errors
/// Store or service failed; asking again is harmless.
pub async fn refetch<S, K, T>(
    core: &Core<S>,
    secrets: &K,
    service: &T,
    shop: &ShopId,
    order: &OrderId,
    package: &PackageId,
) -> Result<Refetched, RefetchError>
where
    S: OrderStore + ConfigStore + InboundStore,
    K: Secrets,
    T: TrackerService,
{
    let ours = core.store.order(order).await?.is_some_and(|o| o.shop == *shop);
    let packages = if ours { core.store.packages(order).await? } else { Vec::new() };
    let overdue = packages.into_iter().find(|p| p.id == *package && p.is_overdue(core.now()));
    match overdue {
        Some(overdue) => news_of(core, secrets, service, shop, order, &overdue).await,
        None => Ok(Refetched::NotOverdue),
    }
}

/// The same for a package that was just read and is overdue.
pub(crate) async fn news_of<S, K, T>(
    core: &Core<S>,
    secrets: &K,
    service: &T,
    shop: &ShopId,
    order: &OrderId,
    overdue: &Package,
) -> Result<Refetched, RefetchError>
where
    S: OrderStore + ConfigStore + InboundStore,
    K: Secrets,
    T: TrackerService,
{
    let Some((carrier, tracker)) = tracker_of(core, order, overdue).await? else {
        return Ok(Refetched::NoTracker);
    };
    let Some(access) = access(core, secrets, shop, &carrier).await? else { return Ok(Refetched::NoTracker) };
    let found = service.fetch(&access?, &tracker).await?;
    Ok(Refetched::Applied(told(core, shop, found.fact.as_ref()).await?))
}

/// The tracker that the package's registration made: the run's record is the one place that knows it.
async fn tracker_of<S: OrderStore>(
    core: &Core<S>,
    order: &OrderId,
    package: &Package,
) -> Result<Option<(CarrierId, String)>, StoreError> {
    let Some(seq) = package.registered_by else { return Ok(None) };
    let Some(event) = core.store.event(order, seq).await? else { return Ok(None) };
    // The newest generation comes last.
    let made = event.runs.into_iter().rev().find_map(|(key, run)| match (key.target, run.state) {
        (Target::RegisterTracker(carrier, of), RunState::Succeeded { detail, .. }) if of == package.id => {
            Some((carrier, detail))
        }
        _ => None,
    });
    Ok(made)
}
