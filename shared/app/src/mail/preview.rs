//! A mail as it would be, and what it would lack.

use std::collections::BTreeMap;

use stagepost_domain::flow::Flow;
use stagepost_domain::id::{OrderId, ShopId, StageId, TemplateId};
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
/// those in the stages that mail `template`, if there are such stages, else those in all.
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
    parts.check().map_err(PreviewError::Invalid)?;
    let settings = core.store.settings(shop).await?.ok_or(PreviewError::NotFound)?;
    let flows = core.store.flows(shop).await?;
    let desk = Desk { core, links, settings: &settings, flows: &flows, parts };
    let here = desk.filled(order).await?;
    let rendered = parts.render(&here).map_err(unrendered)?;
    let shows = parts.shows();
    let mut empty: BTreeMap<String, usize> = BTreeMap::new();
    let others = if shows.is_empty() { Vec::new() } else { desk.newest(template).await? };
    let looked_at = others.len();
    for (order, snapshot) in others {
        let variables = desk.of(&order, &snapshot.unwrap_or_default()).await?;
        for name in shows.iter().filter(|name| variables.lacks(name)) {
            *empty.entry(name.clone()).or_default() += 1;
        }
    }
    let warning = |variable: String| {
        let (here, empty_in) = (here.lacks(&variable), empty.get(&variable).copied().unwrap_or_default());
        (here || empty_in > 0).then_some(Warning { variable, here, empty_in })
    };
    Ok(Preview { rendered, warnings: shows.into_iter().filter_map(warning).collect(), looked_at })
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

    /// The newest orders of the stages that matter.
    async fn newest(
        &self,
        template: Option<&TemplateId>,
    ) -> Result<Vec<(Order, Option<Snapshot>)>, StoreError> {
        let mut orders: Vec<OrderSummary> = Vec::new();
        for stage in self.stages(template) {
            let filter = OrderFilter::Stage(stage);
            orders.extend(self.core.store.orders(&self.settings.shop, &filter, None, LOOKED_AT).await?.items);
        }
        orders.sort_by_key(|order| std::cmp::Reverse(order.entered_at));
        let ids: Vec<OrderId> = orders.into_iter().take(LOOKED_AT).map(|order| order.id).collect();
        let found = self.core.store.found(&ids).await?;
        Ok(found.into_iter().filter(|(order, _)| order.shop == self.settings.shop).collect())
    }

    fn stages(&self, template: Option<&TemplateId>) -> Vec<StageId> {
        let all =
            || self.flows.iter().filter(|flow| flow.archived_at.is_none()).flat_map(|flow| &flow.stages);
        let mails = |stage: &&stagepost_domain::flow::Stage| {
            stage.automations.email.as_ref().is_some_and(|mail| Some(&mail.template) == template)
        };
        let mut stages: Vec<StageId> = all().filter(mails).map(|stage| stage.id.clone()).collect();
        if stages.is_empty() {
            stages = all().map(|stage| stage.id.clone()).collect();
        }
        stages.truncate(STAGES_MAX);
        stages
    }
}
