//! Taking configuration away, so that nothing is left that names what is gone (law 15).

use stagepost_domain::flow::{Flow, Stage};
use stagepost_domain::id::{CarrierId, ChannelId, EndpointId, FlowId, ShopId, TemplateId};
use stagepost_domain::shop::{Registrar, Settings};

use super::{ConfigError, edited, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore, OrderFilter, OrderStore};

/// Most users that an error names.
const NAMED_MAX: usize = 20;

/// Takes a template away. Mails that are on their way keep the version that they were planned with.
///
/// # Errors
/// A stage names it, or `expected` is not its version, or the store failed.
pub async fn delete_template<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &TemplateId,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    removed(core, shop, async |settings: &mut Settings| {
        check(settings.templates.remove(id), expected)?;
        unused(core, shop, |stage| stage.automations.email.as_ref().is_some_and(|a| a.template == *id))
            .await?;
        Ok(ConfigChange::NoTemplate(id.clone()))
    })
    .await
}

/// Takes an endpoint away. Its open runs are skipped as *target gone*.
///
/// # Errors
/// A stage names it, or `expected` is not its version, or the store failed.
pub async fn delete_endpoint<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &EndpointId,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    removed(core, shop, async |settings: &mut Settings| {
        check(settings.endpoints.remove(id), expected)?;
        let names = |stage: &Stage| stage.automations.webhook.as_ref().is_some_and(|a| a.endpoint == *id);
        unused(core, shop, names).await?;
        Ok(ConfigChange::NoEndpoint(id.clone()))
    })
    .await
}

/// Disconnects a store. Its orders stay; connecting it again finds them.
///
/// # Errors
/// The shop has no such channel, `expected` is not its version, or the store failed.
pub async fn delete_channel<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &ChannelId,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    removed(core, shop, async |_: &mut Settings| {
        let there = core.store.channel(id).await?.filter(|c| c.shop == *shop);
        check(there.map(|c| c.version), expected)?;
        Ok(ConfigChange::NoChannel(id.clone()))
    })
    .await
}

/// Disconnects a carrier service. Packages are registered with the shop's next one that can, if there is one;
/// open registrations with this one are skipped as *target gone*.
///
/// # Errors
/// The shop has no such integration, `expected` is not its version, or the store failed.
pub async fn delete_carrier<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &CarrierId,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    removed(core, shop, async |settings: &mut Settings| {
        let carriers = core.store.carriers(shop).await?;
        check(carriers.iter().find(|c| c.id == *id).map(|c| c.version), expected)?;
        settings.registrar = Registrar::of(carriers.iter().filter(|c| c.id != *id));
        Ok(ConfigChange::NoCarrier(id.clone()))
    })
    .await
}

/// Archives a flow: it takes no orders and is not listed any more. One that holds orders is refused; one that
/// gets an order at this very moment keeps it, readable, and its runs.
///
/// # Errors
/// A channel names it or it holds orders, `expected` is not its version, or the store failed.
pub async fn archive_flow<S: ConfigStore + OrderStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &FlowId,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    removed(core, shop, async |_: &mut Settings| {
        let there = core.store.flow(shop, id).await?.filter(|flow| flow.archived_at.is_none());
        let flow = there.ok_or(ConfigError::NotFound)?;
        check(Some(flow.version), expected)?;
        let users = users_of_flow(core, &flow).await?;
        if !users.is_empty() {
            return Err(ConfigError::InUse(users));
        }
        let version = flow.version.saturating_add(1);
        Ok(ConfigChange::Flow(Flow { version, archived_at: Some(core.now()), ..flow }))
    })
    .await
}

/// One change that takes something away, decided anew for whoever lost a race.
async fn removed<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    decide: impl AsyncFn(&mut Settings) -> Result<ConfigChange, ConfigError>,
) -> Result<(), ConfigError> {
    let mut tried = false;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let change = match decide(&mut settings).await {
            // Gone by our own write, whose answer was lost; or by somebody else's, which is as good.
            Err(ConfigError::NotFound) if tried => return Ok(()),
            decided => decided?,
        };
        if saved(core, change, &settings).await? {
            return Ok(());
        }
        tried = true;
    }
    Err(ConfigError::Busy)
}

fn check(there: Option<u64>, expected: Option<u64>) -> Result<(), ConfigError> {
    let version = there.ok_or(ConfigError::NotFound)?;
    if expected.is_some_and(|expected| expected != version) {
        return Err(ConfigError::Stale { version });
    }
    Ok(())
}

/// Refuses what a stage of any flow names, switched on or not.
async fn unused<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    names: impl Fn(&Stage) -> bool,
) -> Result<(), ConfigError> {
    let flows = core.store.flows(shop).await?;
    let live = flows.iter().filter(|flow| flow.archived_at.is_none());
    let stages = live.flat_map(|flow| flow.stages.iter().map(move |stage| (flow, stage)));
    let users: Vec<String> = stages
        .filter(|(_, stage)| names(stage))
        .map(|(flow, stage)| format!("stage \"{}\" of flow \"{}\"", stage.name, flow.name))
        .take(NAMED_MAX)
        .collect();
    if users.is_empty() { Ok(()) } else { Err(ConfigError::InUse(users)) }
}

async fn users_of_flow<S: ConfigStore + OrderStore>(
    core: &Core<S>,
    flow: &Flow,
) -> Result<Vec<String>, ConfigError> {
    let channels = core.store.channels(&flow.shop).await?;
    let default_of = channels.iter().filter(|c| c.default_flow.as_ref() == Some(&flow.id));
    let mut users: Vec<String> =
        default_of.map(|c| format!("channel \"{}\", as its default flow", c.name)).take(NAMED_MAX).collect();
    let live = flow.stages.iter().map(|stage| (&stage.id, &stage.name));
    let gone = flow.retired.iter().map(|(id, retired)| (id, &retired.name));
    for (id, name) in live.chain(gone) {
        let listed = core.store.orders(&flow.shop, &OrderFilter::Stage(id.clone()), None, 1).await?;
        if !listed.items.is_empty() && users.len() < NAMED_MAX {
            users.push(format!("orders in stage \"{name}\""));
        }
    }
    Ok(users)
}
