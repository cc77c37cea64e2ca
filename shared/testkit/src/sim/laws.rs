//! The laws, checked on every write and once more on everything at the end. They know the truth: what the
//! platforms and carriers really have, and what the mail provider and the receiver really got.

use std::collections::{BTreeMap, BTreeSet};

use stagepost_app::Core;
use stagepost_app::audit::look_at;
use stagepost_app::ports::{ConfigStore, DueItem, Mail, OrderStore, RunStore};
use stagepost_domain::Timestamp;
use stagepost_domain::decide::STALE_AFTER;
use stagepost_domain::event::{Action, Cause, Change, Event, Transition};
use stagepost_domain::flow::Flow;
use stagepost_domain::fulfillment::Attribution;
use stagepost_domain::id::{OrderId, PackageId, TemplateId};
use stagepost_domain::order::{Order, Platform};
use stagepost_domain::package::Package;
use stagepost_domain::run::{Run, RunId, RunKey, RunState, Target};
use stagepost_domain::webhook::message_id;

use super::Stats;
use super::chaos::Write;
use super::ends::Received;
use super::platform::Sold;
use super::world::{World, at_once};
use crate::build;

/// A law that did not hold.
#[derive(Debug)]
pub(super) struct Broken {
    pub law: &'static str,
    pub why: String,
}

impl From<String> for Broken {
    fn from(why: String) -> Self {
        Self { law: "the store never holds what it cannot give back", why }
    }
}

type Kept = Result<(), Broken>;

fn must(holds: bool, law: &'static str, why: impl FnOnce() -> String) -> Kept {
    if holds { Ok(()) } else { Err(Broken { law, why: why() }) }
}

/// What the laws remember.
#[derive(Default)]
pub(super) struct Laws {
    /// Every version of the flow.
    flows: BTreeMap<u64, Flow>,
    /// Every event as it was decided.
    births: BTreeMap<(OrderId, u64), Event>,
    /// Moves and edges that were told as theirs.
    theirs: BTreeMap<OrderId, usize>,
    /// Runs that a person opened again, with how often a second mail was accepted.
    retried: BTreeMap<RunId, usize>,
    /// Mails that left, by run.
    mails: BTreeMap<RunId, usize>,
    /// The event of the last mail of each order.
    last_mail: BTreeMap<OrderId, u64>,
    /// The body of each webhook-id.
    bodies: BTreeMap<String, Vec<u8>>,
    took: BTreeSet<String>,
    mails_seen: usize,
    calls_seen: usize,
    held: usize,
}

impl Laws {
    pub fn begin(&mut self, world: &World) {
        self.flows.extend(world.flow().map(|flow| (flow.version, flow)));
    }

    pub fn after_step(&mut self, world: &World) -> Kept {
        let written = world.hands.core.store.written.take_all();
        let mut touched = BTreeSet::new();
        for write in &written {
            match write {
                Write::Order { before, after, event } => {
                    touched.insert(after.id.clone());
                    self.order_written(world, before.as_deref(), after, event.as_deref())?;
                }
                Write::Run { id, before, after } => {
                    touched.insert(id.order.clone());
                    self.run_written(world, id, before, after)?;
                }
                Write::Flow(flow) => {
                    self.flows.insert(flow.version, (**flow).clone());
                }
            }
        }
        touched.iter().try_for_each(|id| lock_is_alive(world, id))?;
        if !touched.is_empty() {
            nothing_falls_out(world, &touched)?;
        }
        self.mails_left(world)?;
        self.calls_arrived(world)?;
        let foul = world.hands.market.fouls.open().first().cloned();
        must(foul.is_none(), "7: the lock is the only right to call, and nothing is done twice", || {
            foul.unwrap_or_default()
        })
    }

    // ------------------------------------------------------------ orders and events

    fn order_written(
        &mut self,
        world: &World,
        before: Option<&Order>,
        after: &Order,
        event: Option<&Event>,
    ) -> Kept {
        let (version, seq) = before.map_or((0, 0), |o| (o.version, o.seq));
        must(after.version == version + 1, "every write of an order bumps its version by one", || {
            format!("{} went from {version} to {}", after.id, after.version)
        })?;
        let expected = seq + u64::from(event.is_some());
        must(after.seq == expected, "seq counts the events, one by one", || {
            format!("{} went from {seq} to {}", after.id, after.seq)
        })?;
        if let Some(before) = before {
            let (was, is) = (&before.fulfillment, &after.fulfillment);
            let lowered = is.coverage < was.coverage && is.epoch == was.epoch;
            must(
                !lowered && is.epoch >= was.epoch,
                "2: only a cancellation lowers what is fulfilled",
                || format!("{}: {was:?} became {is:?}", after.id),
            )?;
            let stolen =
                matches!((&was.lock, &is.lock), (Some(a), Some(b)) if (a.seq, &a.run) != (b.seq, &b.run));
            must(!stolen, "7: a lock is never taken from another run", || format!("{}", after.id))?;
        }
        event.map_or(Ok(()), |event| self.event_decided(world, before, event))
    }

    fn event_decided(&mut self, world: &World, before: Option<&Order>, event: &Event) -> Kept {
        let key = (event.order.clone(), event.seq);
        let twice = self.births.insert(key, event.clone()).is_some();
        must(!twice, "an event is decided once", || format!("{} {}", event.order, event.seq))?;
        if event.change == Change::Held {
            self.held += 1;
        }
        let told_as_theirs =
            matches!(&event.change, Change::Fulfillment { by: Some(Attribution::Theirs), .. });
        let moved_by_theirs =
            event.transition.is_some() && matches!(event.cause, Cause::PlatformFulfillment { .. });
        if told_as_theirs || moved_by_theirs {
            let count = self.theirs.entry(event.order.clone()).or_default();
            *count += 1;
            let really = world.hands.market.order(&event.order).map_or(0, |sold| sold.theirs);
            must(*count <= really, "5: the echo of our own write moves nothing", || {
                format!("{} edges of theirs, but they fulfilled {} {really} times", count, event.order)
            })?;
        }
        let silent = matches!(event.change, Change::Created { silent: true });
        let stale =
            event.fact_at.is_some_and(|at| event.at.duration_since(at) > STALE_AFTER) && automatic(event);
        let acts = event.runs.values().any(Run::is_open);
        must(!(acts && (silent || stale)), "3, 4: what is old moves silently", || {
            format!("{} {} has open runs", event.order, event.seq)
        })?;
        match (&event.transition, before) {
            (Some(transition), Some(_)) if automatic(event) => self.moved(world, event, transition),
            _ => Ok(()),
        }
    }

    /// An automatic move: forward, and for a reason that the outside gave.
    fn moved(&self, world: &World, event: &Event, transition: &Transition) -> Kept {
        let Some(flow) = self.flows.get(&transition.flow_version) else {
            return must(false, "an event names the flow it was decided with", || {
                format!("version {} was never written", transition.flow_version)
            });
        };
        if event.change == Change::Reopened && transition.from.as_ref() == Some(&transition.to) {
            return came_back(world, event);
        }
        let to = flow.position(&transition.to.id);
        let from = transition.from.as_ref().and_then(|from| flow.position(&from.id));
        must(to > from, "8: automatic moves go forward only", || {
            format!("{} from {from:?} to {to:?}", event.order)
        })?;
        let delivery = flow.delivery_stage().is_some_and(|stage| stage.id == transition.to.id);
        let caused = match &event.cause {
            Cause::PlatformFulfillment { .. } => true,
            Cause::Carrier { package, .. } => delivery && told_delivered(world, &event.order, package),
            Cause::Platform { .. } => delivery || matches!(event.change, Change::Created { .. }),
            Cause::Manual { .. } => delivery,
            Cause::Configuration | Cause::Runner { .. } => false,
        };
        must(caused, "every automatic move has a cause outside", || {
            format!("{} {}: {:?} to {}", event.order, event.seq, event.cause, transition.to.name)
        })
    }

    // ------------------------------------------------------------ runs

    fn run_written(&mut self, world: &World, id: &RunId, before: &Run, after: &Run) -> Kept {
        self.as_planned(id, after)?;
        let again = matches!(after.state, RunState::Pending { .. }) && after.attempts == 0;
        match &before.state {
            RunState::Succeeded { .. } | RunState::Skipped { .. } => {
                return must(false, "what has ended stays as it ended", || {
                    format!("{id}: {before:?} {after:?}")
                });
            }
            RunState::Failed { .. } | RunState::Uncertain { .. } => {
                let sure = usize::from(matches!(before.state, RunState::Uncertain { .. }));
                *self.retried.entry(id.clone()).or_default() += sure;
                must(again, "an ended run is opened by a person only", || format!("{id}: {after:?}"))?;
            }
            RunState::Claimed { attempt, until } => {
                let other = matches!(&after.state, RunState::Claimed { attempt: new, .. } if new != attempt);
                must(!other || *until <= world.now(), "10: a claim holds until its lease is over", || {
                    format!("{id}: {before:?} {after:?}")
                })?;
            }
            RunState::Pending { .. } => {}
        }
        self.mailed_and_so_it_says(id, after)?;
        if after.is_open() || id.key.action() != Action::Fulfill {
            return Ok(());
        }
        let lock = world.order(&id.order).and_then(|o| o.fulfillment.lock);
        let left = lock.is_some_and(|l| l.seq == id.seq && l.run == id.key);
        must(!left, "6: no lock outlives its run", || format!("{id} ended as {:?}", after.state))
    }

    /// Nothing edited since changes what was planned.
    fn as_planned(&self, id: &RunId, run: &Run) -> Kept {
        let birth = self.births.get(&(id.order.clone(), id.seq)).and_then(|event| event.runs.get(&id.key));
        let same = birth.is_some_and(|b| {
            (b.target_version, b.notify_customer, b.after_mail)
                == (run.target_version, run.notify_customer, run.after_mail)
        });
        must(same, "4: an edit changes nothing of what was planned before", || {
            format!("{id}: {birth:?} {run:?}")
        })
    }

    fn mailed_and_so_it_says(&self, id: &RunId, run: &Run) -> Kept {
        let says = matches!(
            run.state,
            RunState::Claimed { .. } | RunState::Succeeded { .. } | RunState::Uncertain { .. }
        );
        let mailed = self.mails.contains_key(id) && !self.retried.contains_key(id);
        must(says || !mailed, "11: a mail that left is told as sent or as uncertain", || {
            format!("{id}: {:?}", run.state)
        })
    }

    // ------------------------------------------------------------ mails and calls

    fn mails_left(&mut self, world: &World) -> Kept {
        let fresh: Vec<Mail> =
            world.hands.provider.accepted.open().get(self.mails_seen..).unwrap_or_default().to_vec();
        self.mails_seen += fresh.len();
        fresh.iter().try_for_each(|mail| self.mail_left(world, mail))
    }

    fn mail_left(&mut self, world: &World, mail: &Mail) -> Kept {
        let Some(id) = sender_of(mail) else {
            return must(false, "a mail names its run", || format!("{:?}", mail.tags));
        };
        let count = self.mails.entry(id.clone()).or_default();
        *count += 1;
        let confirmed = self.retried.get(&id).copied().unwrap_or_default();
        must(*count <= 1 + confirmed, "11: a mail leaves at most once", || {
            format!("{id} left {count} times")
        })?;
        let last = self.last_mail.entry(id.order.clone()).or_default();
        let in_turn = *last <= id.seq || self.retried.contains_key(&id);
        must(in_turn, "12: mails of one order go in the order of their events", || {
            format!("{id} after {last}")
        })?;
        *last = (*last).max(id.seq);
        let birth = self.births.get(&(id.order.clone(), id.seq));
        let (Some(birth), Target::Email(template)) = (birth, &id.key.target) else {
            return must(false, "a mail belongs to an event", || id.to_string());
        };
        let version = birth.runs.get(&id.key).map(|run| run.target_version);
        let stored = at_once(world.store.template(&build::shop(), template, version)).and_then(Result::ok);
        let number = world.order(&id.order).map(|o| o.number).unwrap_or_default();
        let subject = stored.flatten().map(|t| t.subject.replace("{{orderNumber}}", &number));
        let stage = birth.transition.as_ref().map(|t| t.to.name.clone()).unwrap_or_default();
        let named = mail.text.as_ref().is_some_and(|text| text.contains(&stage));
        must(
            named && subject.as_ref() == Some(&mail.subject),
            "4: a mail says what was decided with its event",
            || format!("{id}: {mail:?} instead of {subject:?} {stage}"),
        )
    }

    fn calls_arrived(&mut self, world: &World) -> Kept {
        let fresh: Vec<Received> =
            world.hands.receiver.received.open().get(self.calls_seen..).unwrap_or_default().to_vec();
        self.calls_seen += fresh.len();
        for call in fresh {
            let first = self.bodies.entry(call.id.clone()).or_insert_with(|| call.body.clone());
            must(*first == call.body, "11: every attempt of a webhook has the same bytes", || {
                call.id.clone()
            })?;
            if call.took {
                self.took.insert(call.id);
            }
        }
        Ok(())
    }

    // ------------------------------------------------------------ the end

    pub fn at_the_end(&self, world: &World, settled: bool) -> Result<Stats, Broken> {
        must(settled, "everything comes to rest", || format!("open: {:?}", world.runs(is_open)))?;
        let mut stats = world.stats;
        for id in world.order_ids() {
            for event in world.events(&id) {
                stats.events += 1;
                stats.automatic_moves += usize::from(event.transition.is_some() && automatic(&event));
                for (key, run) in &event.runs {
                    self.ended(world, &event, key, run)?;
                    stats.skipped += usize::from(matches!(run.state, RunState::Skipped { .. }));
                    let registered = key.action() == Action::RegisterTracker
                        && matches!(run.state, RunState::Succeeded { .. });
                    stats.registered += usize::from(registered);
                    stats.uncertain += usize::from(matches!(run.state, RunState::Uncertain { .. }));
                }
            }
            accounted_for(world, &id)?;
            audited(world, &id)?;
        }
        let due =
            at_once(world.store.due(Timestamp::MAX, usize::MAX)).and_then(Result::ok).unwrap_or_default();
        must(due.is_empty(), "nothing is due any more", || format!("{due:?}"))?;
        let sold = world.hands.market.sold();
        stats.worlds = 1;
        stats.faults = world.hands.core.store.faults.open().len();
        stats.mails = self.mails_seen;
        stats.calls = self.calls_seen;
        stats.ours = sold.iter().flat_map(|s| &s.made).filter(|m| m.by.is_some()).count();
        stats.theirs = sold.iter().map(|s| s.theirs).sum();
        stats.held = self.held;
        Ok(stats)
    }

    fn ended(&self, world: &World, event: &Event, key: &RunKey, run: &Run) -> Kept {
        let id = RunId { order: event.order.clone(), seq: event.seq, key: key.clone() };
        must(!run.is_open(), "13: every run ends", || format!("{id}: {:?}", run.state))?;
        self.as_planned(&id, run)?;
        self.mailed_and_so_it_says(&id, run)?;
        let succeeded = matches!(run.state, RunState::Succeeded { .. });
        let skipped = matches!(run.state, RunState::Skipped { .. });
        match key.action() {
            Action::Email => {
                must(!succeeded || self.mails.contains_key(&id), "a mail told as sent has left", || {
                    id.to_string()
                })
            }
            Action::Webhook => {
                let took = self.took.contains(&message_id(&id));
                must(skipped || (succeeded && took), "11: every webhook arrives in the end", || {
                    format!("{id}: {:?}", run.state)
                })
            }
            Action::Fulfill => {
                let sold = world.hands.market.order(&event.order);
                let cancelled = sold.is_some_and(|s| s.cancelled_at.is_some());
                must(skipped || succeeded || cancelled, "13: what can be fulfilled is fulfilled", || {
                    format!("{id}: {:?}", run.state)
                })
            }
            Action::RegisterTracker => {
                let asked = number_of(world, &id).is_some_and(|number| world.carriers.reports(&number));
                must(skipped || (succeeded && asked), "13: every parcel is registered in the end", || {
                    format!("{id}: {:?}, asked for: {asked}", run.state)
                })
            }
        }
    }
}

/// A reopened order enters its stage once more only if no run of its last entry acted or still may.
fn came_back(world: &World, event: &Event) -> Kept {
    let entered = |e: &Event| e.seq < event.seq && e.transition.is_some();
    let last = world.events(&event.order).into_iter().filter(entered).max_by_key(|e| e.seq);
    let runs = last.iter().flat_map(|entry| &entry.runs);
    let of_stage = runs.filter(|(key, _)| key.action() != Action::RegisterTracker);
    let mut ends = of_stage.map(|(_, run)| matches!(run.state, RunState::Skipped { .. }));
    must(ends.all(|skipped| skipped), "10: what was done or may still be is not planned again", || {
        format!("{} {}: {last:?}", event.order, event.seq)
    })
}

fn number_of(world: &World, id: &RunId) -> Option<String> {
    let Target::RegisterTracker(_, package) = &id.key.target else { return None };
    packages(world, &id.order).into_iter().find(|p| p.id == *package)?.seen.number
}

fn is_open(state: &RunState) -> bool {
    state.due().is_some()
}

/// Whether nobody asked for what the event moves.
fn automatic(event: &Event) -> bool {
    !matches!(event.change, Change::Moved | Change::Resumed)
}

fn sender_of(mail: &Mail) -> Option<RunId> {
    let tag = |name: &str| mail.tags.get(name);
    let target = Target::Email(TemplateId::parse(tag("template")?).ok()?);
    let key = RunKey { target, generation: tag("generation")?.parse().ok()? };
    Some(RunId { order: OrderId::parse(tag("order")?).ok()?, seq: tag("seq")?.parse().ok()?, key })
}

fn packages(world: &World, id: &OrderId) -> Vec<Package> {
    at_once(world.store.packages(id)).and_then(Result::ok).unwrap_or_default()
}

fn told_delivered(world: &World, order: &OrderId, package: &PackageId) -> bool {
    let all = packages(world, order);
    let number = all.iter().find(|p| p.id == *package).and_then(|p| p.seen.number.as_ref());
    number.is_some_and(|number| world.carriers.ever_delivered(number))
}

/// A lock belongs to a run that is still open: somebody will come and settle it.
fn lock_is_alive(world: &World, id: &OrderId) -> Kept {
    let Some(lock) = world.order(id).and_then(|o| o.fulfillment.lock) else { return Ok(()) };
    let open = world.event(id, lock.seq).is_some_and(|e| e.runs.get(&lock.run).is_some_and(Run::is_open));
    must(open, "6: a lock belongs to an open run", || format!("{id}: {lock:?}"))
}

/// An event with open runs stands in the due index, from birth to end, whatever is lost on the way.
fn nothing_falls_out(world: &World, touched: &BTreeSet<OrderId>) -> Kept {
    let due = at_once(world.store.due(Timestamp::MAX, usize::MAX)).and_then(Result::ok).unwrap_or_default();
    let standing: BTreeSet<(OrderId, u64)> = due
        .into_iter()
        .filter_map(|item| match item {
            DueItem::Event(event) => Some((event.order.clone(), event.seq)),
            DueItem::Parked(_) | DueItem::Job(_) => None,
        })
        .collect();
    for id in touched {
        for event in world.events(id) {
            let stands = standing.contains(&(id.clone(), event.seq));
            must(stands == (event.open_runs() > 0), "13: what is open is due, and nothing else", || {
                format!("{id} {}: {} open, in the index: {stands}", event.seq, event.open_runs())
            })?;
        }
    }
    Ok(())
}

// ---------------------------------------------------------------- the truth at the end

fn accounted_for(world: &World, id: &OrderId) -> Kept {
    let Some(order) = world.order(id) else {
        return must(false, "13: no order is lost", || id.to_string());
    };
    must(order.fulfillment.lock.is_none(), "6: no lock is left", || format!("{id}"))?;
    must(order.stage().is_some(), "every order stands in a stage", || {
        format!("{id}: {:?}", order.placement)
    })?;
    packages_as_told(world, &order)?;
    match world.hands.market.order(id) {
        Some(sold) => as_on_the_platform(&order, &sold),
        None => Ok(()),
    }
}

fn as_on_the_platform(order: &Order, sold: &Sold) -> Kept {
    let same = order.lifecycle == sold.lifecycle() && order.has_email == sold.email.is_some();
    must(
        same || sold.came_full_circle(),
        "1: the newest word on an order's life and customer counts",
        || {
            let (is, shown) = (&order.lifecycle, sold.lifecycle());
            format!("{}: {is:?} instead of {shown:?}, or its address: {}", order.id, order.has_email)
        },
    )?;
    let told = &order.fulfillment;
    let law = "the stored fulfillment is the platform's";
    // A WooCommerce order that went from *completed* to *cancelled* does not say that it was taken back.
    let silent = order.source.platform == Platform::Woocommerce && sold.cancelled_at.is_some();
    must(told.coverage == sold.coverage() || silent, law, || {
        format!("{}: {:?} instead of {:?}", order.id, told.coverage, sold.coverage())
    })?;
    for made in &sold.made {
        let known = told.shipments.get(&made.id);
        // WooCommerce tells only of the present completion.
        let tells = made.active || order.source.platform == Platform::Shopify;
        must(known.is_some_and(|k| k.active == made.active) || !tells, law, || {
            format!("{}: {made:?} is known as {known:?}", order.id)
        })?;
        let by = made.by.as_ref().map(|run| Attribution::Ours { seq: run.seq });
        // What was taken back before anybody told of it decides nothing any more.
        let taken_for_theirs =
            made.active && known.is_some_and(|k| by.is_some() && Some(&k.by) != by.as_ref());
        must(!taken_for_theirs, "5: what we made is ours", || {
            format!("{}: {made:?} is known as {known:?}", order.id)
        })?;
    }
    Ok(())
}

/// An audit has nothing to find in a world that has come to rest, whatever befell it.
fn audited(world: &World, id: &OrderId) -> Kept {
    let hands = &world.hands.core;
    let core = Core {
        store: world.store.clone(),
        clock: hands.clock.clone(),
        entropy: hands.entropy.clone(),
        restored_at: None,
    };
    let looked = at_once(look_at(&core, &build::shop(), id, None)).and_then(Result::ok).unwrap_or_default();
    let all = world.events(id).len();
    must(
        looked.findings.is_empty() && usize::try_from(looked.events) == Ok(all),
        "13: an audit of a healthy world finds nothing, and looks at everything",
        || format!("{id}: {looked:?} of {all}"),
    )
}

/// Whether the last time that the parcel came into use had it registered.
fn registered(world: &World, order: &OrderId, package: &PackageId) -> bool {
    let of = |key: &RunKey| matches!(&key.target, Target::RegisterTracker(_, p) if p == package);
    let events = world.events(order).into_iter().rev();
    let last = events.flat_map(|event| event.runs).find(|(key, _)| of(key));
    last.is_some_and(|(_, run)| matches!(run.state, RunState::Succeeded { .. }))
}

fn packages_as_told(world: &World, order: &Order) -> Kept {
    for package in packages(world, &order.id).iter().filter(|p| !p.removed) {
        let Some(number) = &package.seen.number else { continue };
        if world.carriers.on_request() && !registered(world, &order.id, &package.id) {
            continue;
        }
        let truth = world.carriers.delivered(number);
        must(package.delivered() == truth, "a parcel is where its carrier says", || {
            format!("{} {number}: {:?}, delivered in truth: {truth}", order.id, package.status)
        })?;
    }
    Ok(())
}
