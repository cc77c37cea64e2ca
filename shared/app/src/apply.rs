//! fact → decide → one conditional transaction, again until it is decided.

use stagepost_domain::decide::{Changeset, Context, Decision, Refused, decide};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Event, StageRef};
use stagepost_domain::fact::{Fact, Follows, MoveFact};
use stagepost_domain::id::{FlowId, OrderId, ShopId};
use stagepost_domain::order::{Lifecycle, Order, Placement, Snapshot};
use stagepost_domain::outcome::{IgnoreReason, NoOpReason};
use stagepost_domain::package::Package;
use stagepost_domain::restore::RestoredAt;
use stagepost_domain::shop::Playbook;
use stagepost_domain::{Timestamp, webhook};

use crate::Core;
use crate::carrier;
use crate::ports::{Commit, CommitError, ConfigStore, IgnoredFact, InboundStore, OrderStore, StoreError};

/// Lost races before giving the fact back. Each loss means that somebody else's write succeeded.
pub(crate) const TRIES_MAX: usize = 10;

/// What a fact came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// One event.
    Changed(Box<Changeset>),
    /// Nothing new.
    NoOp(NoOpReason),
    /// Refused by a rule, and kept.
    Ignored(IgnoreReason),
    /// A request that cannot be met.
    Refused(Refused),
}

/// A fact could not be decided.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many others were writing.
    #[error("the order is too busy")]
    Busy,
}

impl ApplyError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store(e) => e.disposition(),
            Self::Busy => Disposition::RETRY,
        }
    }
}

/// What was read for one decision.
pub(crate) struct Known {
    pub order: Option<Order>,
    pub snapshot: Option<Snapshot>,
    pub packages: Vec<Package>,
    pub entry: Option<Event>,
    pub playbook: Option<Playbook>,
}

impl Known {
    /// For facts that are decided as they come.
    pub(crate) fn context<'a>(
        &'a self,
        shop: &'a ShopId,
        id: &'a OrderId,
        now: Timestamp,
        restored_at: Option<RestoredAt>,
    ) -> Context<'a> {
        Context {
            shop,
            order_id: id,
            order: self.order.as_ref(),
            snapshot: self.snapshot.as_ref(),
            packages: &self.packages,
            entry: self.entry.as_ref(),
            playbook: self.playbook.as_ref(),
            now,
            received_at: now,
            restored_at,
        }
    }
}

/// Applies a fact as it comes to an order: read, decide, write, and once more for whoever lost a race.
///
/// # Errors
/// The store failed, or the order stayed busy. Nothing is half-written; the fact can be applied again.
pub async fn apply<S>(core: &Core<S>, shop: &ShopId, id: &OrderId, fact: &Fact) -> Result<Outcome, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    apply_received(core, shop, id, fact, core.now()).await
}

/// The same for a fact that reached us at `received_at` and may have waited since: what it waited makes it no
/// older (law 4).
///
/// # Errors
/// As [`apply`].
pub async fn apply_received<S>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    fact: &Fact,
    received_at: Timestamp,
) -> Result<Outcome, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    for _ in 0..TRIES_MAX {
        let known = read(core, shop, id, fact).await?;
        if known.order.as_ref().is_some_and(|o| o.shop != *shop) {
            return Ok(Outcome::Refused(Refused::UnknownOrder));
        }
        let context = Context { received_at, ..known.context(shop, id, core.now(), core.restored_at) };
        let changes = match decide(context, fact) {
            Decision::NoOp(reason) => return Ok(Outcome::NoOp(reason)),
            Decision::Refused(refused) => return Ok(Outcome::Refused(refused)),
            Decision::Ignored(why) => {
                keep_ignored(core, shop, id, fact, why.clone()).await?;
                return Ok(Outcome::Ignored(why));
            }
            Decision::Changed(changes) => changes,
        };
        carrier::keep_in_sight(core, shop, &known.packages, &changes.packages).await?;
        match commit(core, &known, &changes).await {
            Ok(()) => {
                carrier::unpark_for(core, shop, &known.packages, &changes.packages).await;
                return Ok(Outcome::Changed(changes));
            }
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(e)) => return Err(e.into()),
        }
    }
    Err(ApplyError::Busy)
}

async fn read<S>(core: &Core<S>, shop: &ShopId, id: &OrderId, fact: &Fact) -> Result<Known, StoreError>
where
    S: OrderStore + ConfigStore,
{
    let (order, snapshot) = if matches!(fact, Fact::Order(_) | Fact::Erase { .. }) {
        core.store.order_with_snapshot(id).await?.map_or((None, None), |(o, s)| (Some(o), s))
    } else {
        (core.store.order(id).await?, None)
    };
    let packages = match &order {
        Some(order) if wants_packages(order, fact) => core.store.packages(id).await?,
        _ => Vec::new(),
    };
    let entry = match order.as_ref().and_then(|order| missed_entry(order, fact)) {
        Some(seq) => core.store.event(id, seq).await?,
        None => None,
    };
    let placed = order.as_ref().and_then(|o| o.flow());
    let flow = match fact {
        Fact::Assign(fact) => Some(&fact.flow),
        Fact::Order(fact) => placed.or(fact.default_flow.as_ref()),
        _ => placed,
    };
    let flow = flow.cloned();
    let playbook = playbook(core, shop, flow.as_ref()).await?;
    Ok(Known { order, snapshot, packages, entry, playbook })
}

/// The event of the order's last stage entry, if the fact reopens the order; or the one that a move goes back to.
fn missed_entry(order: &Order, fact: &Fact) -> Option<u64> {
    if let Fact::Move(MoveFact { follows: Follows::WhatWaited { entry }, .. }) = fact {
        return Some(*entry);
    }
    let opens = matches!(fact, Fact::Order(fact) if fact.lifecycle == Lifecycle::Open);
    match &order.placement {
        Placement::Placed { entered_seq, .. } if opens && order.lifecycle != Lifecycle::Open => {
            Some(*entered_seq)
        }
        _ => None,
    }
}

/// Packages are read only where a decision may look at them: an order that gets its flow has them registered.
fn wants_packages(order: &Order, fact: &Fact) -> bool {
    match fact {
        Fact::Tracking(_)
        | Fact::ShipmentReport(_)
        | Fact::Packages { .. }
        | Fact::Shipment(_)
        | Fact::Erase { .. } => true,
        Fact::Order(fact) => {
            order.packages.total > 0
                || fact.fulfillment.packages.as_ref().is_some_and(|p| !p.is_empty())
                || !fact.fulfillment.shipments.is_empty()
        }
        Fact::CarrierConnected => order.packages.total > 0,
        Fact::Assign(_) => order.stage().is_none() && order.packages.total > 0,
        Fact::Trashed
        | Fact::Move(_)
        | Fact::StageRetired
        | Fact::RenewLink { .. }
        | Fact::Hold { .. }
        | Fact::Resume { .. } => false,
    }
}

/// The order's flow and the shop's settings, as they are now.
pub(crate) async fn playbook<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    flow: Option<&FlowId>,
) -> Result<Option<Playbook>, StoreError> {
    let Some(flow) = flow else { return Ok(None) };
    let (Some(flow), Some(settings)) = (core.store.flow(shop, flow).await?, core.store.settings(shop).await?)
    else {
        return Ok(None);
    };
    Ok(Some(Playbook { flow, settings }))
}

/// Writes a decision, with the webhook body frozen as of now.
pub(crate) async fn commit<S>(core: &Core<S>, known: &Known, changes: &Changeset) -> Result<(), CommitError>
where
    S: OrderStore,
{
    let webhook_body = frozen_body(core, known, changes).await?;
    let commit = Commit {
        changes: changes.clone(),
        expected_version: known.order.as_ref().map(|o| o.version),
        webhook_body,
        write_id: core.entropy.id_body(),
    };
    core.store.commit(&commit).await
}

async fn frozen_body<S: OrderStore>(
    core: &Core<S>,
    known: &Known,
    changes: &Changeset,
) -> Result<Option<String>, StoreError> {
    let wanted = changes.event.runs.iter().any(|(key, run)| key.action() == Action::Webhook && run.is_open());
    if !wanted {
        return Ok(None);
    }
    let stored;
    let snapshot = match changes.snapshot.as_ref().or(known.snapshot.as_ref()) {
        Some(snapshot) => snapshot,
        None => {
            let read = core.store.order_with_snapshot(&changes.order.id).await?;
            stored = read.and_then(|(_, s)| s).unwrap_or_default();
            &stored
        }
    };
    let stage = known.playbook.as_ref().zip(changes.order.stage()).and_then(|(p, id)| p.flow.stage(id));
    let stage = stage.map(|stage| StageRef { id: stage.id.clone(), name: stage.name.clone() });
    Ok(webhook::body(&changes.event, &changes.order, snapshot, stage.as_ref()))
}

async fn keep_ignored<S: InboundStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    fact: &Fact,
    why: IgnoreReason,
) -> Result<(), StoreError> {
    let (kind, fact_at) = match fact {
        Fact::Order(f) => ("order", f.updated_at),
        Fact::Shipment(f) => ("fulfillment", Some(f.shipment.updated_at)),
        Fact::Tracking(f) => ("tracking", Some(f.occurred_at)),
        Fact::ShipmentReport(f) => ("shipment_report", Some(f.report.at)),
        Fact::Trashed => ("trashed", None),
        Fact::Move(_) => ("move", None),
        Fact::Packages { .. } => ("packages", None),
        Fact::Assign(_) => ("assign", None),
        Fact::StageRetired => ("stage_retired", None),
        Fact::CarrierConnected => ("carrier_connected", None),
        Fact::RenewLink { .. } => ("renew_link", None),
        Fact::Erase { .. } => ("erase", None),
        Fact::Hold { .. } => ("hold", None),
        Fact::Resume { .. } => ("resume", None),
    };
    let fact = kind.to_owned();
    let ignored = IgnoredFact { order: id.clone(), shop: shop.clone(), at: core.now(), fact, fact_at, why };
    core.store.keep_ignored(&ignored).await
}
