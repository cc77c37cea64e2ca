//! An order in a list.

use std::collections::BTreeMap;

use stagepost_app::ports::{OrderSummary, SearchStore, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::fact::Coverage;
use stagepost_domain::id::{OrderId, ShopId, StageId};
use stagepost_domain::order::{Order, Placement, Platform, Snapshot};

use crate::names::Flows;
use crate::time::Moment;
use crate::ui::{Badge, Tone};
use crate::words;

/// A row.
pub struct Row {
    /// Its id.
    pub id: String,
    /// As the shop prints it.
    pub number: String,
    /// The customer's name.
    pub customer: String,
    /// How many lines.
    pub items: String,
    /// Total with its currency.
    pub total: String,
    /// The stage's name; none in no flow.
    pub stage: Option<String>,
    /// The stage's colour.
    pub color: Option<String>,
    /// Since when it is there.
    pub since: Moment,
    /// Where it comes from.
    pub platform: &'static str,
    /// What else to know.
    pub badges: Vec<Badge>,
}

/// What a row is made of.
pub struct Known {
    /// The order.
    pub order: Order,
    /// Its people.
    pub snapshot: Option<Snapshot>,
}

impl Row {
    /// The row of an order.
    pub fn new(known: &Known, flows: &Flows, now: Timestamp) -> Self {
        let Known { order, snapshot } = known;
        let since = match &order.placement {
            Placement::Placed { entered_at, .. } => *entered_at,
            Placement::Awaiting | Placement::Untriaged => order.created_at,
        };
        let empty = Snapshot::default();
        let people = snapshot.as_ref().unwrap_or(&empty);
        Self {
            id: order.id.to_string(),
            number: order.number.clone(),
            customer: people.customer.name.clone().unwrap_or_default(),
            items: if people.line_count > 0 { people.line_count.to_string() } else { String::new() },
            total: money(people),
            badges: badges(order),
            ..Self::bare(order.stage(), order.source.platform, Moment::new(since, now), flows)
        }
    }

    fn bare(stage: Option<&StageId>, platform: Platform, since: Moment, flows: &Flows) -> Self {
        let found = stage.map(|id| flows.find(id));
        Self {
            id: String::new(),
            number: String::new(),
            customer: String::new(),
            items: String::new(),
            total: String::new(),
            stage: found.map(|f| f.map_or_else(|| "An archived flow".to_owned(), |(_, s)| s.name.clone())),
            color: found.flatten().and_then(|(_, stage)| stage.color.clone()),
            since,
            platform: words::platform(platform),
            badges: Vec::new(),
        }
    }

    /// The row of an order of which the index knows more than the orders: it is just being deleted.
    fn of_summary(summary: OrderSummary, flows: &Flows, now: Timestamp) -> Self {
        let since = Moment::new(summary.entered_at, now);
        let bare = Self::bare(summary.stage.as_ref(), summary.platform, since, flows);
        Self { id: summary.id.to_string(), number: summary.number, ..bare }
    }
}

/// `24.00 EUR`, as the platform writes it.
pub fn money(snapshot: &Snapshot) -> String {
    let total = snapshot.total.as_deref().unwrap_or_default();
    let currency = snapshot.currency.as_deref().filter(|c| !total.contains(*c)).unwrap_or_default();
    format!("{total} {currency}").trim().to_owned()
}

fn badges(order: &Order) -> Vec<Badge> {
    let mut badges: Vec<Badge> = words::lifecycle_badge(&order.lifecycle).into_iter().collect();
    if order.hold.is_some() {
        badges.push(Badge::new(Tone::Warn, "On hold"));
    }
    if order.fulfillment.coverage != Coverage::None {
        badges.push(words::coverage_badge(order.fulfillment.coverage));
    }
    if order.packages.all_delivered() {
        badges.push(Badge::new(Tone::Good, "Delivered"));
    }
    badges
}

/// Rows of what a list gave, with people: one round trip more.
///
/// # Errors
/// The store failed.
pub async fn rows<S: SearchStore>(
    store: &S,
    shop: &ShopId,
    summaries: Vec<OrderSummary>,
    flows: &Flows,
    now: Timestamp,
) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<OrderId> = summaries.iter().map(|summary| summary.id.clone()).collect();
    let found = if ids.is_empty() { Vec::new() } else { store.found(&ids).await? };
    let ours = found.into_iter().filter(|(order, _)| order.shop == *shop);
    let known: BTreeMap<OrderId, Known> =
        ours.map(|(order, snapshot)| (order.id.clone(), Known { order, snapshot })).collect();
    let row = |summary: OrderSummary| match known.get(&summary.id) {
        Some(known) => Row::new(known, flows, now),
        None => Row::of_summary(summary, flows, now),
    };
    Ok(summaries.into_iter().map(row).collect())
}
