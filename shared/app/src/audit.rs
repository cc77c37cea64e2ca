//! The audit of one order: is all that it decided there, and does what is to be done still stand where the sweep
//! finds it?
//!
//! The due index is the net under every queue and stream, so this is the net under the index: what has fallen out of
//! it is put back, and `wake` does the rest. What cannot be put right is told, with ids alone.

use std::fmt;
use std::future::Future;

use stagepost_domain::Timestamp;
use stagepost_domain::audit::OVERDUE_AFTER;
use stagepost_domain::event::Event;
use stagepost_domain::id::{OrderId, PackageId, ShopId, StageId};
use stagepost_domain::order::Order;
use stagepost_domain::restore::may_leave_out;
use stagepost_domain::run::later;

use crate::Core;
use crate::ports::{DueItem, InboundStore, OrderStore, RunStore, StoreError};

/// Events read in one round trip. Most orders have no more that are new.
const EVENTS: usize = 4;
/// How often an order is read that changes while it is looked at.
const LOOKS_MAX: usize = 3;

/// Where an event stands in the index of what is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Among what is due, at that time.
    Due(Timestamp),
    /// Among what people should look at.
    Attention,
    /// Nowhere.
    Nowhere,
}

/// An event as an audit sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audible {
    /// Its number, from its key.
    pub seq: u64,
    /// The event; none if it cannot be read.
    pub event: Option<Event>,
    /// Where it really stands.
    pub place: Place,
}

/// What an audit reads and mends past the ways of everybody else.
pub trait AuditStore: Send + Sync {
    /// An order's events below `below`, newest first, each with its place; strongly consistent.
    fn audible(
        &self,
        order: &OrderId,
        below: Option<u64>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Audible>, StoreError>> + Send;
    /// Has a number lead to the order that holds a package with it. There already is a success.
    fn list_number(
        &self,
        shop: &ShopId,
        number: &str,
        order: &OrderId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The order counts events that are not there.
    Missing {
        /// The first of them.
        from: u64,
        /// The last.
        to: u64,
    },
    /// There is an event that the order does not count.
    Uncounted {
        /// Which.
        seq: u64,
    },
    /// An event stands nowhere, or in the wrong place: put back.
    Misplaced {
        /// Which.
        seq: u64,
    },
    /// What an event wants done has been due for more than an hour, and nobody put it off.
    Overdue {
        /// Which event.
        seq: u64,
        /// Since when.
        due: Timestamp,
    },
    /// An event cannot be read.
    Unreadable {
        /// Which; none for the order itself.
        seq: Option<u64>,
    },
    /// A carrier's report of a package would not find its order: listed again.
    Unlisted {
        /// Which.
        package: PackageId,
    },
    /// The order stood in a stage that was deleted, where no list shows it: put into the successor.
    LeftBehind {
        /// The deleted stage.
        stage: StageId,
    },
}

impl Finding {
    /// Whether the audit puts it right.
    #[must_use]
    pub fn is_mended(&self) -> bool {
        matches!(self, Self::Misplaced { .. } | Self::Unlisted { .. } | Self::LeftBehind { .. })
    }

    /// Whether it is about which events there are: of an order that changes meanwhile nobody can tell.
    fn is_of_numbers(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Uncounted { .. })
    }
}

impl fmt::Display for Finding {
    /// For the log: ids and numbers alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { from, to } => write!(f, "events {from} to {to} are missing"),
            Self::Uncounted { seq } => write!(f, "event {seq} is not counted by its order"),
            Self::Misplaced { seq } => write!(f, "event {seq} had fallen out of its index, and is put back"),
            Self::Overdue { seq, due } => write!(f, "what event {seq} wants done is overdue since {due}"),
            Self::Unreadable { seq: Some(seq) } => write!(f, "event {seq} cannot be read"),
            Self::Unreadable { seq: None } => f.write_str("the order cannot be read"),
            Self::Unlisted { package } => write!(f, "{package} led nowhere, and is listed again"),
            Self::LeftBehind { stage } => write!(f, "it stood in {stage}, which was deleted"),
        }
    }
}

/// What an audit of one order came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// Events looked at.
    pub events: u64,
    /// What was not as it must be; what could be is put right by now.
    pub findings: Vec<Finding>,
}

/// Looks at an order and at its events of since `since`, all of them if that is no time, and puts right what can be.
///
/// An order that is not there, or of another shop, has nothing to find. One that keeps changing under the audit is
/// left to the next pass.
///
/// # Errors
/// The store failed.
pub async fn look_at<S>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    since: Option<Timestamp>,
) -> Result<Looked, StoreError>
where
    S: OrderStore + RunStore + InboundStore + AuditStore,
{
    let mut seen = Seen::default();
    for _ in 0..LOOKS_MAX {
        let order = match core.store.order(id).await {
            Ok(Some(order)) if order.shop == *shop => order,
            // A later release knows it.
            Ok(_) | Err(StoreError::Newer { .. }) => return Ok(Looked::default()),
            Err(StoreError::Corrupt { .. }) => {
                return Ok(Looked { events: 0, findings: vec![Finding::Unreadable { seq: None }] });
            }
            Err(error) => return Err(error),
        };
        seen = events(core, &order, since).await?;
        // Between the two reads an event may have come: the order as it is now tells.
        if !seen.torn || core.store.order(id).await?.is_some_and(|now| now.seq == order.seq) {
            let unlisted = if seen.fresh { packages(core, &order).await? } else { Vec::new() };
            seen.findings.extend(unlisted);
            return mended(core, seen).await;
        }
    }
    seen.findings.retain(|finding| !finding.is_of_numbers());
    mended(core, seen).await
}

/// What a look at an order's events saw.
#[derive(Default)]
struct Seen {
    events: u64,
    findings: Vec<Finding>,
    /// Where findings can be put right: events with the due time that they are to stand at.
    misplaced: Vec<Event>,
    /// The numbers of the events are not those that the order tells of.
    torn: bool,
    /// One of them is new.
    fresh: bool,
}

/// Goes down the events from the newest.
async fn events<S: AuditStore>(
    core: &Core<S>,
    order: &Order,
    since: Option<Timestamp>,
) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    // The event that must come next.
    let (mut wanted, mut below) = (order.seq, None);
    loop {
        let batch = core.store.audible(&order.id, below, EVENTS).await?;
        let last = batch.len() < EVENTS;
        for there in batch {
            below = Some(there.seq);
            seen.number(there.seq, order.seq, wanted);
            wanted = wanted.min(there.seq.saturating_sub(1));
            let old = there.event.as_ref().is_some_and(|event| Some(event.at) < since);
            seen.fresh |= !old;
            seen.take(there, core.now());
            if old {
                return Ok(seen);
            }
        }
        if last {
            seen.number(0, order.seq, wanted);
            return Ok(seen);
        }
    }
}

impl Seen {
    /// An event of that number, 0 for the end of them, where the one of `wanted` must come next, unless a restore left
    /// it out. The newest, `counted`, must be there in any case.
    fn number(&mut self, seq: u64, counted: u64, wanted: u64) {
        if seq > counted {
            self.findings.push(Finding::Uncounted { seq });
        } else if seq < wanted && !(wanted < counted && may_leave_out(seq, wanted.saturating_add(1))) {
            self.findings.push(Finding::Missing { from: seq.saturating_add(1), to: wanted });
        } else {
            return;
        }
        self.torn = true;
    }

    /// Whether the event stands where it must.
    fn take(&mut self, there: Audible, now: Timestamp) {
        self.events = self.events.saturating_add(1);
        let seq = there.seq;
        let Some(event) = there.event else {
            self.findings.push(Finding::Unreadable { seq: Some(seq) });
            return;
        };
        let misplaced = match (event.due(), event.wants_attention(), there.place) {
            (Some(due), _, Place::Due(_)) => {
                if later(due, OVERDUE_AFTER) < now {
                    self.findings.push(Finding::Overdue { seq, due });
                }
                false
            }
            // The next sweep takes it out.
            (None, _, Place::Due(_)) => false,
            (None, Some(_), Place::Attention) | (None, None, Place::Nowhere) => false,
            (Some(_), _, _) | (None, Some(_), Place::Nowhere) | (None, None, Place::Attention) => true,
        };
        if misplaced {
            self.findings.push(Finding::Misplaced { seq });
            self.misplaced.push(event);
        }
    }
}

/// Puts right what can be. If an event's runs changed meanwhile, whoever changed them has given it its place.
async fn mended<S: RunStore>(core: &Core<S>, seen: Seen) -> Result<Looked, StoreError> {
    for event in seen.misplaced {
        let due = event.due();
        core.store.set_due(&DueItem::Event(Box::new(event)), due).await?;
    }
    Ok(Looked { events: seen.events, findings: seen.findings })
}

/// Packages whose number leads to no order; it does after this.
async fn packages<S>(core: &Core<S>, order: &Order) -> Result<Vec<Finding>, StoreError>
where
    S: OrderStore + InboundStore + AuditStore,
{
    let mut findings = Vec::new();
    if order.packages.total == 0 {
        return Ok(findings);
    }
    for package in core.store.packages(&order.id).await?.into_iter().filter(|package| !package.removed) {
        let Some(number) = package.seen.number.as_deref() else { continue };
        if !core.store.orders_with_number(&order.shop, number).await?.contains(&order.id) {
            core.store.list_number(&order.shop, number, &order.id).await?;
            findings.push(Finding::Unlisted { package: package.id });
        }
    }
    Ok(findings)
}
