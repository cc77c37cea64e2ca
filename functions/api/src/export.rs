//! Everything of a shop as lines of JSON, in the words in which the API answers. For whoever takes their data along.
//!
//! One line a thing: its kind, and the thing as the API shows it. Secrets, credentials, keys' hashes and the links to
//! tracking pages, which are keys of their own, are in none. It is read page by page, so that a shop of any size needs
//! the memory of a page.

use std::io::Write;

use serde::Serialize;
use serde_json::{Value, json};
use stagepost_app::Core;
use stagepost_app::config::{MemberShown, members_unopened};
use stagepost_app::ports::StoreError;
use stagepost_app::walk::walk;
use stagepost_domain::id::{OrderId, ShopId};

use crate::Stores;
use crate::view::{
    BrandView, CarrierView, ChannelView, EndpointView, EntryView, JobView, KeyView, MemberView, OrderView,
    SettingsView,
};

/// Things of a page.
const PAGE: usize = 100;

/// What an export came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Orders. One that moves meanwhile may be told twice.
    pub orders: u64,
    /// Lines.
    pub lines: u64,
}

/// An export stopped; what was written by then is whole lines.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no such shop.
    #[error("there is no shop {0} here")]
    NoShop(ShopId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is written to took no more.
    #[error("it could not be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Writes a shop: settings, brand, flows, templates, endpoints, channels, carriers, keys, members, jobs, then each
/// order with its people and packages, and behind it the entries of its timeline, newest first, events with their runs.
///
/// # Errors
/// There is no such shop, the store failed, or nothing more could be written.
pub async fn export<S: Stores, W: Write>(
    core: &Core<S>,
    shop: &ShopId,
    out: &mut W,
) -> Result<Exported, ExportError> {
    let mut lines = Lines { out, done: Exported::default() };
    configuration(core, shop, &mut lines).await?;
    people(core, shop, &mut lines).await?;
    let mut cursor = None;
    loop {
        let walked = walk(&core.store, shop, cursor.as_deref(), None, PAGE).await?;
        for listed in &walked.orders {
            order(core, shop, &listed.id, &mut lines).await?;
        }
        cursor = walked.next;
        if cursor.is_none() {
            lines.out.flush()?;
            return Ok(lines.done);
        }
    }
}

struct Lines<'a, W> {
    out: &'a mut W,
    done: Exported,
}

impl<W: Write> Lines<'_, W> {
    fn put(&mut self, thing: &str, data: impl Serialize) -> Result<(), ExportError> {
        self.line(&json!({"thing": thing, "data": json(data)?}))
    }

    fn put_all<T: Serialize>(
        &mut self,
        thing: &str,
        all: impl IntoIterator<Item = T>,
    ) -> Result<(), ExportError> {
        all.into_iter().try_for_each(|data| self.put(thing, data))
    }

    fn line(&mut self, line: &Value) -> Result<(), ExportError> {
        serde_json::to_writer(&mut *self.out, line).map_err(std::io::Error::from)?;
        self.out.write_all(b"\n")?;
        self.done.lines = self.done.lines.saturating_add(1);
        Ok(())
    }
}

fn json(data: impl Serialize) -> Result<Value, ExportError> {
    Ok(serde_json::to_value(data).map_err(std::io::Error::from)?)
}

async fn configuration<S: Stores, W: Write>(
    core: &Core<S>,
    shop: &ShopId,
    lines: &mut Lines<'_, W>,
) -> Result<(), ExportError> {
    let store = &core.store;
    let settings = store.settings(shop).await?.ok_or_else(|| ExportError::NoShop(shop.clone()))?;
    lines.put("settings", SettingsView::from(settings))?;
    lines.put("brand", BrandView::from(store.brand(shop).await?))?;
    lines.put_all("flow", store.flows(shop).await?)?;
    lines.put_all("email_template", store.templates(shop).await?)?;
    let mut healths = store.healths(shop).await?;
    let endpoints = store.endpoints(shop).await?.into_iter();
    let endpoints = endpoints.map(|endpoint| {
        let health = healths.remove(&endpoint.id).unwrap_or_default();
        EndpointView::new(endpoint, &health, core.now())
    });
    lines.put_all("webhook_endpoint", endpoints)?;
    let contacts = store.contacts(shop).await?;
    let channels = store.channels(shop).await?.into_iter();
    lines.put_all("channel", channels.map(|channel| ChannelView::new(channel, &contacts)))?;
    let carriers = store.carriers(shop).await?.into_iter();
    lines.put_all("carrier", carriers.map(|carrier| CarrierView::new(carrier, &contacts)))
}

/// Who and what works with the shop. Addresses of people who do are sealed, and stay so.
async fn people<S: Stores, W: Write>(
    core: &Core<S>,
    shop: &ShopId,
    lines: &mut Lines<'_, W>,
) -> Result<(), ExportError> {
    lines.put_all("api_key", core.store.api_keys(shop).await?.into_iter().map(KeyView::from))?;
    let members = members_unopened(core, shop).await?.into_iter();
    let shown = members.map(|member| MemberView::from(MemberShown { member, email: None }));
    lines.put_all("member", shown)?;
    let mut cursor = None;
    loop {
        let page = core.store.jobs(shop, cursor.as_deref(), PAGE).await?;
        lines.put_all("job", page.items.into_iter().map(JobView::from))?;
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn order<S: Stores, W: Write>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    lines: &mut Lines<'_, W>,
) -> Result<(), ExportError> {
    // The listing may be a moment behind.
    let Some((order, snapshot)) = core.store.order_with_snapshot(id).await? else { return Ok(()) };
    if order.shop != *shop {
        return Ok(());
    }
    let packages = core.store.packages(id).await?;
    let flow = match order.flow() {
        Some(flow) => core.store.flow(shop, flow).await?,
        None => None,
    };
    let mut shown = json(OrderView::new(order, snapshot, packages, flow.as_ref(), String::new()))?;
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("tracking_url");
    }
    lines.put("order", shown)?;
    lines.done.orders = lines.done.orders.saturating_add(1);
    let mut cursor = None;
    loop {
        let page = core.store.timeline(id, cursor.as_deref(), PAGE, core.now()).await?;
        for entry in page.items {
            lines.line(
                &json!({"thing": "timeline_entry", "order": id, "data": json(EntryView::from(entry))?}),
            )?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
