//! What the sales channels show: orders and fulfillments, in any order of arrival (laws 1 to 6).

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::entry::staleness;
use super::manual::changed;
use super::tracking::{all_arrived, reported};
use super::{Context, Decision, Draft};
use crate::event::{Cause, Change};
use crate::fact::{FulfillmentSeen, OrderFact, Origin, ShipmentFact, ShipmentId, ShipmentSeen};
use crate::flow::{Flow, FulfilledWhen, Stage};
use crate::fulfillment::{Attribution, Fulfillment, Observed};
use crate::order::{Lifecycle, Order, Placement, Platform, Snapshot};
use crate::outcome::{IgnoreReason, NoOpReason, SkipReason};
use crate::package::{Checkpoint, Package, PackageSeen, Report, Rollup, is_full};
use crate::run::RunId;
use crate::shop::Playbook;

/// The tag of packages that a platform tells for the order as a whole.
const WHOLE_ORDER: &str = "order";

/// An order as a platform shows it.
pub(super) fn order(context: Context<'_>, fact: &OrderFact) -> Decision {
    let beside;
    let fact = match of_known(context, fact) {
        Some(snapshot) => {
            beside = OrderFact { snapshot, ..fact.clone() };
            &beside
        }
        None => fact,
    };
    match context.order {
        // A hand writes what is new, and over nothing that is there.
        Some(known) if known.placement != Placement::Awaiting && fact.by.is_some() => {
            Decision::NoOp(NoOpReason::Same)
        }
        Some(known) if known.placement != Placement::Awaiting => again(context, known, fact),
        _ if fact.draft => Decision::NoOp(NoOpReason::Draft),
        None => first_sighting(context, new_order(context, fact), fact),
        Some(known) => {
            let mut order = known.clone();
            order.created_at = fact.created_at;
            first_sighting(context, order, fact)
        }
    }
}

/// What a fact's snapshot counts for beside what is known of the order, where that is not all it says: people
/// are left out once they were erased (law 19), and what its source cannot tell stays as it was told before.
fn of_known(context: Context<'_>, fact: &OrderFact) -> Option<Snapshot> {
    let erased = context.order.is_some_and(|known| known.erased.is_some());
    let stored = context.snapshot.filter(|_| !fact.untold.is_empty());
    let told = stored.map(|stored| fact.snapshot_beside(stored));
    if erased {
        return Some(told.as_ref().unwrap_or(&fact.snapshot).without_people());
    }
    told
}

fn new_order(context: Context<'_>, fact: &OrderFact) -> Order {
    blank_order(context, fact.source.clone(), fact.number.clone(), fact.created_at)
}

/// An order that nobody has told of itself yet.
pub(super) fn blank_order(
    context: Context<'_>,
    source: crate::order::Source,
    number: String,
    created_at: Timestamp,
) -> Order {
    Order {
        id: context.order_id.clone(),
        shop: context.shop.clone(),
        source,
        number,
        seq: 0,
        version: 0,
        placement: Placement::Awaiting,
        lifecycle: Lifecycle::Open,
        lifecycle_seq: 0,
        mark: None,
        created_at,
        fulfillment: Fulfillment::default(),
        packages: Rollup::default(),
        hold: None,
        links: 0,
        has_email: false,
        last_mail: None,
        erased: None,
    }
}

/// The first order fact: one event, one transition to the furthest stage that its state asks for.
fn first_sighting(context: Context<'_>, order: Order, fact: &OrderFact) -> Decision {
    let rule = rule_of(context);
    let seen_at = fact.updated_at.unwrap_or(context.now);
    let packages = told_packages(context.packages, &fact.fulfillment, &order.fulfillment, true);
    let (mut fulfillment, observed) =
        order.fulfillment.observe(&fact.fulfillment, seen_at, true, &packages.edited, None, rule);
    // What was told before the order itself has not been decided yet.
    let edge = observed.edge.or_else(|| fulfillment.take_edge(rule));
    let imported = fact.origin == Origin::Import || fact.armed_at.is_some_and(|at| fact.created_at < at);
    let silent = if imported {
        Some(SkipReason::Imported)
    } else if fact.lifecycle != Lifecycle::Open {
        Some(SkipReason::OrderCancelled)
    } else {
        staleness(fact.updated_at, context.received_at)
            // Whoever was told of it as new was told before the restore, whatever changed since.
            .or_else(|| context.before_restore([fact.updated_at, Some(fact.created_at)]))
    };
    let mut draft = Draft::new(context, order, fact.cause(), fact.updated_at);
    draft.by_hand.clone_from(&fact.by);
    fulfillment.reports.retain(|id, _| !packages.named.contains(id));
    draft.set_packages(packages.changed);
    draft.order.packages.more = packages.overflow;
    draft.take_in(fact);
    draft.order.lifecycle_seq = draft.order.seq;
    draft.order.fulfillment = fulfillment;
    let fulfilled = edge == Some(Attribution::Theirs);
    match context.playbook {
        Some(playbook) => draft.adopt(playbook, fulfilled, silent.as_ref()),
        None => draft.order.placement = Placement::Untriaged,
    }
    changed(draft.finish(Change::Created { silent: silent.is_some() }))
}

/// A later order fact: older is nothing, equal compares content, newer counts.
fn again(context: Context<'_>, known: &Order, fact: &OrderFact) -> Decision {
    let freshness = match (fact.updated_at, known.mark) {
        (Some(seen), Some(mark)) => seen.cmp(&mark),
        (Some(_), None) => Ordering::Greater,
        (None, _) => Ordering::Equal,
    };
    if freshness == Ordering::Less {
        return Decision::NoOp(NoOpReason::Older);
    }
    let seen_at = fact.updated_at.unwrap_or(context.now);
    let newer = freshness == Ordering::Greater;
    let current = newer || tells_the_present(fact);
    let packages = told_packages(context.packages, &fact.fulfillment, &known.fulfillment, current);
    let (seen, edited, rule) = (&fact.fulfillment, &packages.edited, rule_of(context));
    let marked = marked_by(context, seen);
    let (fulfillment, observed) =
        known.fulfillment.observe(seen, seen_at, newer, edited, marked.as_ref(), rule);
    let same_content = !newer_content(context, known, fact, current);
    let more = packages.more_than(known);
    if same_content && !observed.changed && packages.changed.is_empty() && more == known.packages.more {
        if observed.overflow {
            return too_many(crate::fulfillment::SHIPMENTS_MAX);
        }
        return Decision::NoOp(told_before(known, &fact.fulfillment));
    }
    let lifecycle = if same_content { &known.lifecycle } else { &fact.lifecycle };
    let about_packages = (!packages.changed.is_empty() || more != known.packages.more).then(|| {
        let told = packages.told_of(context.packages).filter(|_| more == known.packages.more);
        told.unwrap_or(Change::Packages)
    });
    let change = what_changed(known, lifecycle, &observed, about_packages);
    let mut draft = Draft::new(context, known.clone(), fact.cause(), fact.updated_at);
    draft.set_packages(packages.changed);
    draft.order.packages.more = more;
    draft.order.mark = draft.order.mark.max(fact.updated_at);
    if !same_content {
        draft.snapshot = context.snapshot.is_none_or(|s| *s != fact.snapshot).then(|| fact.snapshot.clone());
        draft.take_in(fact);
    }
    draft.follow(fulfillment, &observed, &packages.named, packages.report.as_ref());
    if change == Change::Reopened {
        draft.come_back();
    }
    changed(draft.finish(change))
}

fn too_many(limit: usize) -> Decision {
    Decision::Ignored(IgnoreReason::TooMany { limit })
}

/// Whether a fact whose time is not newer is the present state all the same: one without a time of its own,
/// and one of WooCommerce, which builds its notifications when it delivers them and delivers one after
/// another (docs/adr/0005). There an equal time does not mean the same second either: the older storage of
/// orders keeps the time when only metadata changes.
fn tells_the_present(fact: &OrderFact) -> bool {
    fact.updated_at.is_none() || fact.source.platform == Platform::Woocommerce
}

/// Whether the fact's people, lines, number or lifecycle replace the stored ones.
///
/// Two facts of one second cannot be told apart by time. They are then ordered by their content, so that
/// every order of arrival ends in the same state: the later lifecycle first, then the smaller text, which is
/// the fuller one where a field is missing in the other. `current`: the fact is not of the same second only.
fn newer_content(context: Context<'_>, known: &Order, fact: &OrderFact, current: bool) -> bool {
    let same = context.snapshot == Some(&fact.snapshot)
        && known.lifecycle == fact.lifecycle
        && known.number == fact.number;
    if same || current {
        return !same;
    }
    let rank = |lifecycle: &Lifecycle| match lifecycle {
        Lifecycle::Open => (0, None),
        Lifecycle::Cancelled { at } => (1, *at),
        Lifecycle::Trashed => (2, None),
    };
    let words = |snapshot: Option<&Snapshot>| Reverse(snapshot.and_then(|s| serde_json::to_string(s).ok()));
    let theirs = (rank(&fact.lifecycle), words(Some(&fact.snapshot)), &fact.number);
    let ours = (rank(&known.lifecycle), words(context.snapshot), &known.number);
    theirs > ours
}

/// The run whose mark the platform shows. One that names another order was copied with it and says nothing.
fn marked_by(context: Context<'_>, seen: &FulfillmentSeen) -> Option<RunId> {
    let run = RunId::parse(seen.marker.as_deref()?).ok()?;
    (run.order == *context.order_id).then_some(run)
}

/// Names a duplicate that tells of our own fulfillment.
fn told_before(known: &Order, seen: &FulfillmentSeen) -> NoOpReason {
    let ours = |id: &ShipmentId| {
        known.fulfillment.shipments.get(id).is_some_and(|s| matches!(s.by, Attribution::Ours { .. }))
    };
    if seen.shipments.iter().any(|s| ours(&s.id)) { NoOpReason::OwnFulfillment } else { NoOpReason::Same }
}

fn what_changed(
    known: &Order,
    lifecycle: &Lifecycle,
    observed: &Observed,
    packages: Option<Change>,
) -> Change {
    match (&known.lifecycle, lifecycle) {
        (Lifecycle::Open, Lifecycle::Cancelled { .. }) => return Change::Cancelled,
        (Lifecycle::Open | Lifecycle::Cancelled { .. }, Lifecycle::Trashed) => return Change::Trashed,
        (Lifecycle::Cancelled { .. } | Lifecycle::Trashed, Lifecycle::Open) => return Change::Reopened,
        (Lifecycle::Trashed, Lifecycle::Cancelled { .. }) => return Change::Cancelled,
        _ => {}
    }
    if observed.changed { fulfillment_change(observed) } else { packages.unwrap_or(Change::Updated) }
}

fn fulfillment_change(observed: &Observed) -> Change {
    Change::Fulfillment {
        by: observed.edge.clone(),
        shipments: observed.shipments.clone(),
        reopened: observed.reopened,
    }
}

/// One fulfillment told on its own. Of an order that nobody told us of yet, it is kept until they do.
pub(super) fn shipment(context: Context<'_>, fact: &ShipmentFact) -> Decision {
    let seen = &fact.shipment;
    let known = context.order.cloned().unwrap_or_else(|| {
        let number = fact.number.clone().unwrap_or_else(|| fact.source.external_id.clone());
        blank_order(context, fact.source.clone(), number, seen.updated_at)
    });
    let told = FulfillmentSeen { shipments: vec![seen.clone()], ..FulfillmentSeen::default() };
    let packages = told_packages(context.packages, &told, &known.fulfillment, true);
    let edited = packages.edited.contains(&seen.id);
    // The edge of an order that is not placed yet is decided when it is; a part never completes it.
    let awaiting = known.placement == Placement::Awaiting;
    let rule = if awaiting { FulfilledWhen::Complete } else { rule_of(context) };
    let (fulfillment, observed) = known.fulfillment.observe_shipment(seen, edited, rule);
    if observed.overflow {
        return too_many(crate::fulfillment::SHIPMENTS_MAX);
    }
    // What one fulfillment tells does not say that the others fit now.
    let more = known.packages.more || packages.overflow;
    if !observed.changed && packages.changed.is_empty() && more == known.packages.more {
        let older = known.fulfillment.shipments.get(&seen.id).is_some_and(|s| seen.updated_at < s.mark);
        return Decision::NoOp(if older { NoOpReason::Older } else { told_before(&known, &told) });
    }
    let cause = Cause::Platform { channel: fact.source.channel.clone() };
    let told = packages.told_of(context.packages).filter(|_| more == known.packages.more);
    let mut draft = Draft::new(context, known, cause, Some(seen.updated_at));
    draft.set_packages(packages.changed);
    draft.order.packages.more = more;
    draft.follow(fulfillment, &observed, &packages.named, packages.report.as_ref());
    let about_packages = told.unwrap_or(Change::Packages);
    changed(draft.finish(if observed.changed { fulfillment_change(&observed) } else { about_packages }))
}

/// WooCommerce's `order.deleted` carries an id and nothing else.
pub(super) fn trashed(context: Context<'_>) -> Decision {
    let Some(known) = context.order else { return Decision::NoOp(NoOpReason::UnknownOrder) };
    if known.lifecycle == Lifecycle::Trashed {
        return Decision::NoOp(NoOpReason::Same);
    }
    let cause = Cause::Platform { channel: known.source.channel.clone() };
    let mut draft = Draft::new(context, known.clone(), cause, None);
    draft.order.lifecycle = Lifecycle::Trashed;
    draft.order.lifecycle_seq = draft.order.seq;
    changed(draft.finish(Change::Trashed))
}

fn rule_of(context: Context<'_>) -> FulfilledWhen {
    context.playbook.map_or(FulfilledWhen::default(), |p| p.flow.fulfilled_when)
}

impl Draft<'_> {
    /// What an order fact sets, whatever else it means.
    fn take_in(&mut self, fact: &OrderFact) {
        self.order.source.channel.clone_from(&fact.source.channel);
        self.order.number.clone_from(&fact.number);
        self.order.mark = self.order.mark.max(fact.updated_at);
        self.order.has_email = fact.snapshot.customer.email.is_some();
        if self.order.lifecycle != fact.lifecycle {
            self.order.lifecycle = fact.lifecycle.clone();
            self.order.lifecycle_seq = self.order.seq;
        }
        if self.order.placement == Placement::Awaiting {
            self.snapshot = Some(fact.snapshot.clone());
        }
    }

    /// Takes the new fulfillment state and moves where it asks to. `named`: fulfillments whose parcels have
    /// their reports now; `report`: the last that counted, which tells how old a delivery is.
    fn follow(
        &mut self,
        fulfillment: Fulfillment,
        observed: &Observed,
        named: &BTreeSet<ShipmentId>,
        report: Option<&(ShipmentId, Checkpoint)>,
    ) {
        let covered_more = fulfillment.coverage > self.order.fulfillment.coverage;
        self.news_at = fulfillment.last_told();
        self.order.fulfillment = fulfillment;
        self.order.fulfillment.reports.retain(|id, _| !named.contains(id));
        if observed.edge == Some(Attribution::Theirs) {
            self.cause = Cause::PlatformFulfillment { channel: self.order.source.channel.clone() };
            self.move_to_fulfilled_stage();
        }
        if self.transition.is_some() {
            return;
        }
        self.news_at = None;
        match report {
            Some((_, report)) if !covered_more => self.fact_at = Some(report.at),
            None if !covered_more => return,
            _ => {}
        }
        self.advance_if_delivered();
    }

    /// Puts a newly seen order where its state asks for, recording what it jumped.
    pub(super) fn adopt(&mut self, playbook: &Playbook, fulfilled: bool, silent: Option<&SkipReason>) {
        let flow = &playbook.flow;
        let asked = [
            Some(&flow.default_stage),
            flow.fulfilled_stage.as_ref().filter(|_| fulfilled),
            flow.delivery_stage().map(|s| &s.id).filter(|_| all_arrived(&self.order)),
        ];
        let start = flow.position(&flow.default_stage).unwrap_or_default();
        let furthest = asked.into_iter().flatten().filter_map(|id| flow.position(id)).max().unwrap_or(start);
        let Some(to) = flow.stages.get(furthest) else { return };
        if fulfilled && furthest > start && matches!(self.cause, Cause::Platform { .. }) {
            self.cause = Cause::PlatformFulfillment { channel: self.order.source.channel.clone() };
        }
        self.enter(playbook, to, silent.cloned());
        if silent.is_none() {
            self.pass_through(playbook, jumped(flow, start, furthest));
        }
    }
}

fn jumped(flow: &Flow, start: usize, furthest: usize) -> &[Stage] {
    flow.stages.get(start..furthest).unwrap_or_default()
}

/// What a fact says of packages, against those stored.
#[derive(Default)]
struct ToldPackages {
    changed: Vec<Package>,
    edited: BTreeSet<ShipmentId>,
    /// The order took no more.
    overflow: bool,
    /// Some list was compared.
    told: bool,
    /// Fulfillments whose parcels are known here, or that are no more: no report waits for them.
    named: BTreeSet<ShipmentId>,
    /// The last report that counted for a parcel.
    report: Option<(ShipmentId, Checkpoint)>,
}

impl ToldPackages {
    /// What changed, if it is only how parcels stand: none came, went or got another number.
    fn told_of(&self, stored: &[Package]) -> Option<Change> {
        let (shipment, report) = self.report.as_ref()?;
        let there = |p: &Package| stored.iter().any(|known| known.id == p.id && known.removed == p.removed);
        let only = self.edited.is_empty() && self.changed.iter().all(there);
        only.then(|| Change::Shipment { shipment: shipment.clone(), status: report.status })
    }

    /// Gives a fulfillment's parcels the reports of its platform, that which waited for them among them.
    fn follow(&mut self, packages: &mut [Package], seen: &ShipmentSeen, waiting: Option<&Report>) {
        let listed: BTreeSet<_> = seen.packages.iter().map(PackageSeen::id).collect();
        let of_it = |p: &&mut Package| {
            !p.removed && (listed.contains(&p.id) || p.shipment.as_deref() == Some(&seen.id.0))
        };
        let waiting = waiting.copied().map(Checkpoint::from);
        let mut reports: Vec<_> = waiting.iter().chain(&seen.report).collect();
        reports.sort_by_key(|report| report.at);
        for package in packages.iter_mut().filter(of_it) {
            self.named.insert(seen.id.clone());
            for report in &reports {
                if let Ok(next) = reported(package, report) {
                    *package = next;
                    self.report = Some((seen.id.clone(), (*report).clone()));
                }
            }
        }
    }

    /// Whether the platform tells of more packages than the order takes: as before, if it told of none.
    fn more_than(&self, known: &Order) -> bool {
        if self.told { self.overflow } else { known.packages.more }
    }
}

/// New packages, corrected ones (a corrected number is a new package, the old one is taken away), and
/// those that went with a cancelled fulfillment. `current`: the list for the order as a whole
/// replaces the stored one.
fn told_packages(
    stored: &[Package],
    seen: &FulfillmentSeen,
    known: &Fulfillment,
    current: bool,
) -> ToldPackages {
    let mut told = ToldPackages::default();
    let mut packages = stored.to_vec();
    // The cancelled ones first: a parcel that went into two fulfillments stays with the other.
    let (active, gone): (Vec<_>, Vec<_>) = seen.shipments.iter().partition(|s| s.active);
    for shipment in gone.into_iter().chain(active) {
        let listed: &[PackageSeen] = if shipment.active { &shipment.packages } else { &[] };
        let tag = shipment.id.0.as_str();
        let counts = match known.shipments.get(&shipment.id) {
            None => true,
            // A cancelled fulfillment does not come back, nor do its packages.
            Some(mark) if shipment.active && !mark.active => false,
            Some(mark) if shipment.active && shipment.updated_at == mark.mark => {
                longer(&packages, tag, listed)
            }
            Some(mark) => shipment.updated_at >= mark.mark,
        };
        let was_known = packages.iter().any(|p| p.shipment.as_deref() == Some(tag));
        if counts {
            let Replaced { changed, overflow } = replace(&mut packages, tag, listed);
            told.overflow |= overflow;
            told.told = true;
            if changed && (shipment.active || was_known) {
                told.edited.insert(shipment.id.clone());
            }
        }
        let standing = known.shipments.get(&shipment.id).is_none_or(|s| s.active);
        if shipment.active && standing {
            // Also by an older list: each parcel has a mark of its own.
            told.follow(&mut packages, shipment, known.reports.get(&shipment.id));
        } else {
            told.named.insert(shipment.id.clone());
        }
    }
    if let Some(listed) = seen.packages.as_ref().filter(|_| current) {
        told.overflow |= replace(&mut packages, WHOLE_ORDER, listed).overflow;
        told.told = true;
    }
    told.changed = packages.into_iter().filter(|p| !stored.contains(p)).collect();
    told
}

/// Whether the list outranks the one that is stored under the tag: more packages, then by their ids, so
/// that two lists of one second end the same in either order.
fn longer(packages: &[Package], tag: &str, listed: &[PackageSeen]) -> bool {
    let tagged = |p: &&Package| p.shipment.as_deref() == Some(tag) && !p.removed;
    let known: BTreeSet<_> = packages.iter().filter(tagged).map(|p| p.id.clone()).collect();
    let told: BTreeSet<_> = listed.iter().map(PackageSeen::id).collect();
    (told.len(), told) > (known.len(), known)
}

/// What making a list the packages of a tag came to.
#[derive(Default)]
struct Replaced {
    changed: bool,
    /// Some did not fit.
    overflow: bool,
}

/// Makes the list the packages of the tag.
fn replace(packages: &mut Vec<Package>, tag: &str, listed: &[PackageSeen]) -> Replaced {
    let ids: BTreeSet<_> = listed.iter().map(PackageSeen::id).collect();
    let Replaced { mut changed, mut overflow } = Replaced::default();
    for p in packages.iter_mut().filter(|p| p.shipment.as_deref() == Some(tag) && !p.removed) {
        p.removed = !ids.contains(&p.id);
        changed |= p.removed;
    }
    for seen in listed {
        let id = seen.id();
        let full = is_full(packages);
        match packages.iter_mut().find(|p| p.id == id) {
            // Taken away by hand (no tag): what a person decided, the next notification does not undo.
            Some(p) if p.removed && p.shipment.is_none() => continue,
            // Known, and no edit: but a link that was missing may come with it.
            Some(p) if !p.removed => {
                p.seen.fill_from(seen);
                continue;
            }
            Some(p) => {
                p.removed = false;
                p.shipment = Some(tag.to_owned());
            }
            None if full => {
                overflow = true;
                continue;
            }
            None => packages.push(Package::new(seen.clone(), Some(tag.to_owned()))),
        }
        changed = true;
    }
    Replaced { changed, overflow }
}
