//! One order: where it stands, what can be done, what is in it, and what happened.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Path;
use futures_util::future::try_join_all;
use http::HeaderMap;
use stagepost_app::ports::{Page, Secrets, StoreError, TimelineEntry};
use stagepost_domain::event::Event;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{OrderId, TemplateId};
use stagepost_domain::order::{Lifecycle, Order, Placement, Platform, Snapshot};
use stagepost_domain::package::Package;
use stagepost_domain::run::{RunId, Target};

use super::row::money;
use super::timeline::{Called, Entry, Retry, entries, is_under_way};
use crate::answer::{Answer, from_script, last_of, page, to};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::names::{Flows, Group};
use crate::pages::id;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Badge, Tone};
use crate::visitor::{Visit, Visitor};
use crate::{Console, Stores, words};

/// Entries of a timeline on one page.
const ENTRIES: usize = 50;
/// Webhooks whose calls are read with the timeline: those of the newest entries.
const CALLS_OF: usize = 20;
/// Calls shown of one webhook.
const CALLS: usize = 20;

/// Where an order stands and what can be done about that.
pub struct Standing {
    id: String,
    number: String,
    seq: u64,
    badges: Vec<Badge>,
    stage: Option<(String, Option<String>)>,
    since: Option<Moment>,
    flow: String,
    held: Option<String>,
    cancelled: Option<String>,
    /// The stages of its flow in order, each with its id, and where among them it stands.
    steps: Vec<StepView>,
    next: Option<(String, String)>,
    /// Flows to put it into.
    assign: Vec<Group>,
    /// Whether it can go into a flow at all: one that is awaited can't yet.
    untriaged: bool,
}

/// A stage on the way.
pub struct StepView {
    id: String,
    name: String,
    color: Option<String>,
    class: &'static str,
}

/// A parcel.
pub struct PackageView {
    id: String,
    number: String,
    url: String,
    carrier: String,
    badge: Badge,
    at: Option<Moment>,
    scans: Vec<(Moment, String)>,
}

#[derive(Template)]
#[template(path = "orders/order.html")]
struct OrderPage<'a> {
    shell: Shell,
    standing: Standing,
    details: Snapshot,
    total: String,
    more_lines: Option<String>,
    packages: Vec<PackageView>,
    more_packages: bool,
    source: &'static str,
    store: String,
    channel_link: Option<String>,
    external_id: String,
    created: Moment,
    erased: Option<Moment>,
    coverage: Badge,
    tracking: String,
    timeline: TimelinePart,
    fields: &'a Fields,
    wrong: Wrong,
}

/// The part that changes by itself.
struct TimelinePart {
    entries: Vec<Entry>,
    older: Option<String>,
    newest: Option<String>,
    asks: Option<String>,
}

#[derive(Template)]
#[template(path = "orders/live.html")]
struct LivePart {
    shell: Shell,
    standing: Standing,
    timeline: TimelinePart,
}

/// Everything that is read of an order.
pub struct Loaded {
    /// The order.
    pub order: Order,
    snapshot: Snapshot,
    packages: Vec<Package>,
    timeline: Page<TimelineEntry>,
    called: Called,
}

/// Reads an order of the visitor's shop with its timeline: two round trips, whatever there is.
///
/// # Errors
/// There is no such order, or the store failed.
pub async fn load<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &OrderId,
    before: Option<&str>,
    works: bool,
) -> Result<Loaded, Failed> {
    let store = &console.core.store;
    let (found, packages, timeline, flows, endpoints, keys) = tokio::join!(
        store.order_with_snapshot(id),
        store.packages(id),
        store.timeline(id, before, ENTRIES, visit.now),
        console.flows(visit),
        store.endpoints(&visit.shop),
        store.api_keys(&visit.shop),
    );
    let found = found?.filter(|(order, _)| order.shop == visit.shop);
    let (order, snapshot) = found.ok_or_else(|| Trouble::not_found("order"))?;
    let timeline = timeline?;
    let (attempts, templates) =
        tokio::join!(calls(console, visit, &timeline.items), named(console, visit, &timeline.items));
    let called = Called {
        flows: Flows(flows?),
        endpoints: endpoints?.into_iter().map(|endpoint| (endpoint.id, endpoint.name)).collect(),
        keys: keys?.into_iter().map(|key| (key.id, key.name)).collect(),
        templates: templates?,
        attempts: attempts?,
        platform: order.source.platform,
        works,
    };
    Ok(Loaded { order, snapshot: snapshot.unwrap_or_default(), packages: packages?, timeline, called })
}

fn events(entries: &[TimelineEntry]) -> impl Iterator<Item = &Event> {
    entries.iter().filter_map(|entry| match entry {
        TimelineEntry::Event(event) => Some(&**event),
        TimelineEntry::Ignored(_) => None,
    })
}

/// The calls of the newest webhooks that were tried.
async fn calls<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    entries: &[TimelineEntry],
) -> Result<BTreeMap<RunId, Vec<stagepost_app::attempt::Attempt>>, StoreError> {
    let tried = events(entries).flat_map(|event| {
        let webhooks = event.runs.iter().filter(|(key, run)| {
            matches!(key.target, Target::Webhook(..))
                && (run.attempts > 0 || run.state.gone_wrong().is_some())
        });
        webhooks.map(|(key, _)| RunId { order: event.order.clone(), seq: event.seq, key: key.clone() })
    });
    let read = tried.take(CALLS_OF).map(|run| async move {
        let calls = console.core.store.attempts_of_run(&run, CALLS, visit.now).await?;
        Ok((run, calls))
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

/// The names of the templates that the timeline's mails are made of.
async fn named<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    entries: &[TimelineEntry],
) -> Result<BTreeMap<TemplateId, String>, StoreError> {
    let ids: BTreeSet<&TemplateId> = events(entries)
        .flat_map(|event| event.runs.keys())
        .filter_map(|key| if let Target::Email(id) = &key.target { Some(id) } else { None })
        .collect();
    let read = ids.into_iter().map(|id| async move {
        let template = console.core.store.template(&visit.shop, id, None).await?;
        Ok((id.clone(), template.map_or_else(|| "a template that is gone".to_owned(), |t| t.name)))
    });
    Ok(try_join_all(read).await?.into_iter().collect())
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(named): Path<String>,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    with_form(&console, &visitor, &order, &fields, Wrong::default()).await.and_then(|html| page(&html))
}

/// The page with a form of it that came back.
pub async fn refused<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    order: &OrderId,
    fields: &Fields,
    wrong: Wrong,
) -> Answer {
    let page = with_form(console, visit, order, fields, wrong).await?;
    crate::answer::page_as(http::StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn with_form<'a, S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    order: &OrderId,
    fields: &'a Fields,
    wrong: Wrong,
) -> Result<OrderPage<'a>, Failed> {
    let shell = visit.shell(Area::Orders);
    let before = fields.some("before").filter(|_| !wrong.any());
    let loaded = load(console, visit, order, before, shell.works()).await?;
    let Order { source, created_at, fulfillment, packages, erased, .. } = &loaded.order;
    let shown = loaded.snapshot.lines.len();
    let lines = usize::try_from(loaded.snapshot.line_count).unwrap_or(shown);
    Ok(OrderPage {
        standing: standing(&loaded.order, &loaded.called, visit),
        timeline: timeline(&loaded, visit, before.is_some()),
        total: money(&loaded.snapshot),
        more_lines: (lines > shown).then(|| format!("and {} more", lines - shown)),
        packages: loaded.packages.iter().filter(|p| !p.removed).map(|p| package(p, visit)).collect(),
        more_packages: packages.more,
        source: words::platform(source.platform),
        store: source.store.clone(),
        channel_link: channel_link(&loaded.order),
        external_id: source.external_id.clone(),
        created: Moment::new(*created_at, visit.now),
        erased: erased.map(|erasure| Moment::new(erasure.at, visit.now)),
        coverage: words::coverage_badge(fulfillment.coverage),
        tracking: console.links.link(&loaded.order),
        details: loaded.snapshot,
        shell,
        fields,
        wrong,
    })
}

/// What is new, for a page that asks every few seconds; for a browser without scripts the page itself.
pub async fn live<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    if !from_script(&headers) {
        return Ok(to(&format!("/orders/{order}")));
    }
    let shell = visitor.fragment(Area::Orders);
    let loaded = load(&console, &visitor, &order, None, shell.works()).await?;
    let standing = standing(&loaded.order, &loaded.called, &visitor);
    let timeline = timeline(&loaded, &visitor, false);
    let asks = timeline.asks.is_some();
    let part = LivePart { shell, standing, timeline };
    if asks { page(&part) } else { last_of(&part) }
}

fn timeline(loaded: &Loaded, visit: &Visit, later_page: bool) -> TimelinePart {
    let (order, entries_of) = (&loaded.order.id, &loaded.timeline.items);
    let locked = loaded.order.fulfillment.lock.is_some();
    let asks = !later_page && (locked || is_under_way(entries_of, visit.now));
    TimelinePart {
        entries: entries(entries_of, &loaded.called, visit.now),
        older: loaded.timeline.next.as_ref().map(|cursor| format!("/orders/{order}?before={cursor}")),
        newest: later_page.then(|| format!("/orders/{order}")),
        asks: asks.then(|| format!("/orders/{order}/timeline")),
    }
}

fn standing(order: &Order, called: &Called, visit: &Visit) -> Standing {
    let flows = &called.flows;
    let flow = order.flow().and_then(|id| flows.flow(id));
    let here = order.stage().zip(flow).and_then(|(stage, flow)| flow.position(stage));
    let mut badges: Vec<Badge> = words::lifecycle_badge(&order.lifecycle).into_iter().collect();
    if order.hold.is_some() {
        badges.push(Badge::new(Tone::Warn, "On hold"));
    }
    if order.fulfillment.lock.is_some() {
        badges.push(Badge::new(Tone::Busy, "Being fulfilled"));
    }
    badges.push(words::coverage_badge(order.fulfillment.coverage));
    let stage = flow.zip(here).and_then(|(flow, here)| flow.stages.get(here));
    let next = flow.zip(here).and_then(|(flow, here)| flow.stages.get(here.saturating_add(1)));
    let since = match &order.placement {
        Placement::Placed { entered_at, .. } => Some(Moment::new(*entered_at, visit.now)),
        Placement::Awaiting | Placement::Untriaged => None,
    };
    let untriaged = matches!(order.placement, Placement::Untriaged);
    Standing {
        id: order.id.to_string(),
        number: order.number.clone(),
        seq: order.seq,
        badges,
        stage: stage.map(|stage| (stage.name.clone(), stage.color.clone())),
        since,
        flow: flow.map(|flow| flow.name.clone()).unwrap_or_default(),
        held: order.hold.as_ref().map(|hold| words::held(hold, called)),
        cancelled: cancelled(&order.lifecycle),
        steps: flow.map(|flow| steps(flow, here)).unwrap_or_default(),
        next: next.map(|stage| (stage.id.to_string(), stage.name.clone())),
        assign: if untriaged { flows.targets(None) } else { Vec::new() },
        untriaged,
    }
}

fn cancelled(lifecycle: &Lifecycle) -> Option<String> {
    match lifecycle {
        Lifecycle::Open => None,
        Lifecycle::Cancelled { at } => {
            let when = at.map(|at| format!(" on {}", crate::time::exactly(at))).unwrap_or_default();
            Some(format!("Cancelled on its platform{when}. Nothing more is sent about it."))
        }
        Lifecycle::Trashed => Some("In the trash on its platform. Nothing more is sent about it.".to_owned()),
    }
}

fn steps(flow: &Flow, here: Option<usize>) -> Vec<StepView> {
    let class = |i: usize| match here {
        Some(here) if i < here => "past",
        Some(here) if i == here => "here",
        _ => "ahead",
    };
    let step = |(i, stage): (usize, &stagepost_domain::flow::Stage)| StepView {
        id: stage.id.to_string(),
        name: stage.name.clone(),
        color: stage.color.clone(),
        class: class(i),
    };
    flow.stages.iter().enumerate().map(step).collect()
}

fn package(p: &Package, visit: &Visit) -> PackageView {
    let scan = |c: &stagepost_domain::package::Checkpoint| {
        let words = words::tracking(c.status);
        let detail = c.detail.as_ref().map(|detail| format!("{words}: {detail}"));
        (Moment::new(c.at, visit.now), detail.unwrap_or_else(|| words.to_owned()))
    };
    PackageView {
        id: p.id.to_string(),
        number: p.seen.number.clone().unwrap_or_default(),
        url: p.seen.url.clone().unwrap_or_default(),
        carrier: p.seen.carrier.clone().unwrap_or_default(),
        badge: words::tracking_badge(p.status),
        at: p.delivered_at.or(p.mark).map(|at| Moment::new(at, visit.now)),
        scans: p.checkpoints.iter().rev().map(scan).collect(),
    }
}

/// The order in its store's own administration.
fn channel_link(order: &Order) -> Option<String> {
    let (store, id) = (&order.source.store, &order.source.external_id);
    let number: bool = id.bytes().all(|b| b.is_ascii_digit());
    match order.source.platform {
        Platform::Shopify if number => Some(format!("https://{store}/admin/orders/{id}")),
        Platform::Woocommerce if number && store.starts_with("http") => {
            Some(format!("{store}/wp-admin/post.php?post={id}&action=edit"))
        }
        Platform::Shopify | Platform::Woocommerce | Platform::Api => None,
    }
}
