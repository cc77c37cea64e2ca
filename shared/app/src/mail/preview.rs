//! A mail as it would be, and what it would lack.

use futures_util::future::try_join_all;
use stagepost_domain::flow::{Flow, Stage};
use stagepost_domain::id::{OrderId, ShopId, TemplateId};
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::shop::Settings;
use stagepost_domain::template::{Occasion, Parts, Rendered, Variables};
use stagepost_domain::text::Invalid;

use super::TrackingLinks;
use super::compose::variables;
use crate::Core;
use crate::ports::{ConfigStore, OrderFilter, OrderStore, OrderSummary, SearchStore, StoreError};

/// How many of the newest orders are looked at for what they lack.
pub const LOOKED_AT: usize = 50;
/// Most stages whose orders are looked at.
const STAGES_MAX: usize = 20;
/// Where an invented order's tracking would be.
const INVENTED_URL: &str = "https://example.com/t/your-order";

/// A mail as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Subject and parts.
    pub rendered: Rendered,
    /// What it says nothing for, or would for others.
    pub warnings: Vec<Warning>,
    /// How many orders were looked at for that.
    pub looked_at: usize,
}

/// A variable that the mail shows and that is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// By its name; `items.sku` for a field of a list.
    pub variable: String,
    /// Empty for the order of this preview.
    pub here: bool,
    /// For how many of the newest orders it is empty.
    pub empty_in: usize,
}

/// There is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The template is none.
    #[error("the template is not valid")]
    Invalid(Vec<Invalid>),
    /// The shop, or the order that was named.
    #[error("not found")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a preview reads.
pub trait PreviewStores: OrderStore + ConfigStore + SearchStore {}

impl<T: OrderStore + ConfigStore + SearchStore> PreviewStores for T {}

/// The mail of these parts for an order, or for an invented one, with what it would lack for the newest orders:
/// those in the stages that mail `template`, or those in all if none stands there.
///
/// # Errors
/// The parts are no template, the order is not there, or the store failed.
pub async fn preview<S: PreviewStores, L: TrackingLinks + ?Sized>(
    core: &Core<S>,
    links: &L,
    shop: &ShopId,
    parts: Parts<'_>,
    template: Option<&TemplateId>,
    order: Option<&OrderId>,
) -> Result<Preview, PreviewError> {
    let settings = core.store.settings(shop).await?.ok_or(PreviewError::NotFound)?;
    let flows = core.store.flows(shop).await?;
    let shows = parts.shows();
    let newest = if shows.is_empty() { Vec::new() } else { newest(core, shop, &flows, template).await? };
    let among = Among { settings: &settings, flows: &flows, newest: &newest };
    preview_among(core, links, among, parts, order).await
}

/// An order with its people.
pub type Known = (Order, Option<Snapshot>);

/// What a preview is seen against, where it is read already.
#[derive(Debug, Clone, Copy)]
pub struct Among<'a> {
    /// The shop.
    pub settings: &'a Settings,
    /// Its flows.
    pub flows: &'a [Flow],
    /// Its newest orders: of these [`newest`].
    pub newest: &'a [Known],
}

/// The same where the shop and its newest orders are read already.
///
/// # Errors
/// The parts are no template, the order is not there, or the store failed.
pub async fn preview_among<S: PreviewStores, L: TrackingLinks + ?Sized>(
    core: &Core<S>,
    links: &L,
    among: Among<'_>,
    parts: Parts<'_>,
    order: Option<&OrderId>,
) -> Result<Preview, PreviewError> {
    parts.check().map_err(PreviewError::Invalid)?;
    let desk = Desk { core, links, settings: among.settings, flows: among.flows, parts };
    let here = desk.filled(order).await?;
    let rendered = parts.render(&here).map_err(unrendered)?;
    let shows = parts.shows();
    let others = if shows.is_empty() { &[] } else { among.newest };
    let nobody = Snapshot::default();
    let others = others.iter().map(|(order, snapshot)| desk.of(order, snapshot.as_ref().unwrap_or(&nobody)));
    let others = try_join_all(others).await?;
    let warning = |variable: String| {
        let empty_in = others.iter().filter(|order| order.lacks(&variable)).count();
        let here = here.lacks(&variable);
        (here || empty_in > 0).then_some(Warning { variable, here, empty_in })
    };
    let looked_at = others.len();
    Ok(Preview { rendered, warnings: shows.into_iter().filter_map(warning).collect(), looked_at })
}

/// The newest orders of the stages that mail `template`, or of all if none stands there: [`LOOKED_AT`] at most, as
/// they came in.
///
/// # Errors
/// The store failed.
pub async fn newest<S: OrderStore + SearchStore>(
    core: &Core<S>,
    shop: &ShopId,
    flows: &[Flow],
    template: Option<&TemplateId>,
) -> Result<Vec<Known>, StoreError> {
    let mails =
        |stage: &Stage| stage.automations.email.as_ref().is_some_and(|m| Some(&m.template) == template);
    let mut ids = newest_in(core, shop, flows, mails).await?;
    if ids.is_empty() {
        ids = newest_in(core, shop, flows, |_| true).await?;
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = core.store.found(&ids).await?;
    let mut known: Vec<Known> = found.into_iter().filter(|(order, _)| order.shop == *shop).collect();
    known.sort_by_key(|(order, _)| ids.iter().position(|id| *id == order.id));
    Ok(known)
}

/// The same of these stages, by id.
async fn newest_in<S: OrderStore>(
    core: &Core<S>,
    shop: &ShopId,
    flows: &[Flow],
    wanted: impl Fn(&Stage) -> bool,
) -> Result<Vec<OrderId>, StoreError> {
    let live = flows.iter().filter(|flow| flow.archived_at.is_none());
    let stages = live.flat_map(|flow| &flow.stages).filter(|stage| wanted(stage)).take(STAGES_MAX);
    let filters: Vec<OrderFilter> = stages.map(|stage| OrderFilter::Stage(stage.id.clone())).collect();
    let asked = filters.iter().map(|filter| core.store.orders(shop, filter, None, LOOKED_AT));
    let pages = try_join_all(asked).await?;
    let mut orders: Vec<OrderSummary> = pages.into_iter().flat_map(|page| page.items).collect();
    orders.sort_by_key(|order| std::cmp::Reverse(order.entered_at));
    Ok(orders.into_iter().take(LOOKED_AT).map(|order| order.id).collect())
}

/// The variables of an order as a preview has them, or of an invented one.
///
/// # Errors
/// The order is not there, or the store failed.
pub(super) async fn sample<S: PreviewStores, L: TrackingLinks + ?Sized>(
    core: &Core<S>,
    links: &L,
    settings: &Settings,
    parts: Parts<'_>,
    order: Option<&OrderId>,
) -> Result<Variables, PreviewError> {
    let flows = if order.is_some() { core.store.flows(&settings.shop).await? } else { Vec::new() };
    Desk { core, links, settings, flows: &flows, parts }.filled(order).await
}

fn unrendered(error: stagepost_domain::template::RenderError) -> PreviewError {
    PreviewError::Invalid(vec![Invalid::new(error.part, error.reason)])
}

struct Desk<'a, S, L: ?Sized> {
    core: &'a Core<S>,
    links: &'a L,
    settings: &'a Settings,
    flows: &'a [Flow],
    parts: Parts<'a>,
}

impl<S: PreviewStores, L: TrackingLinks + ?Sized> Desk<'_, S, L> {
    async fn filled(&self, order: Option<&OrderId>) -> Result<Variables, PreviewError> {
        let Some(id) = order else { return Ok(Variables::invented(&self.settings.name, INVENTED_URL)) };
        let found = self.core.store.order_with_snapshot(id).await?;
        let (order, snapshot) =
            found.filter(|(order, _)| order.shop == self.settings.shop).ok_or(PreviewError::NotFound)?;
        Ok(self.of(&order, &snapshot.unwrap_or_default()).await?)
    }

    /// An order as if it entered the stage that it stands in.
    async fn of(&self, order: &Order, snapshot: &Snapshot) -> Result<Variables, StoreError> {
        let flow = order.flow().and_then(|id| self.flows.iter().find(|flow| flow.id == *id));
        let stage = order.stage().zip(flow).and_then(|(stage, flow)| flow.stage(stage));
        let occasion = Occasion {
            shop_name: &self.settings.name,
            stage_name: stage.map(|stage| stage.name.as_str()).unwrap_or_default(),
            stage_description: stage.and_then(|stage| stage.description.as_deref()),
            tracking_url: &self.links.link(order),
        };
        variables(self.core, self.parts, order, snapshot, occasion).await
    }
}
