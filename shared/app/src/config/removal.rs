//! Taking configuration away, so that nothing is left that names what is gone (law 15).

use stagepost_domain::flow::{Flow, Stage};
use stagepost_domain::id::{CarrierId, ChannelId, EndpointId, FlowId, ShopId, TemplateId};
use stagepost_domain::shop::{Registrar, Settings};

use super::{ConfigError, as_expected, edited, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore, OrderFilter, OrderStore};

/// Most users that an error names.
const NAMED_MAX: usize = 20;

/// What is to be taken away.
#[derive(Debug, Clone, Copy)]
pub enum Removal<'a> {
    /// A template. Mails that are on their way keep the version that they were planned with.
    Template(&'a TemplateId),
    /// An endpoint. Its open runs are skipped as *target gone*.
    Endpoint(&'a EndpointId),
    /// A store is disconnected. Its orders stay; connecting it again finds them.
    Channel(&'a ChannelId),
    /// A carrier service is disconnected.
    Carrier(&'a CarrierId),
    /// A flow is archived: it takes no orders and is not listed any more. One that gets an order at this very
    /// moment keeps it, readable, and its runs.
    Flow(&'a FlowId),
}

/// Takes configuration away, decided anew for whoever lost a race.
///
/// # Errors
/// Something names it, the shop has none such, `expected` is not its version, or the store failed.
pub async fn remove<S: ConfigStore + OrderStore>(
    core: &Core<S>,
    shop: &ShopId,
    what: Removal<'_>,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    let mut tried = false;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let change = match change(core, &mut settings, what, expected).await {
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

/// The change, after everything that speaks against it.
async fn change<S: ConfigStore + OrderStore>(
    core: &Core<S>,
    settings: &mut Settings,
    what: Removal<'_>,
    expected: Option<u64>,
) -> Result<ConfigChange, ConfigError> {
    let shop = settings.shop.clone();
    Ok(match what {
        Removal::Template(id) => {
            check(settings.templates.remove(id), expected)?;
            let names = |s: &Stage| s.automations.email.as_ref().is_some_and(|a| a.template == *id);
            unused(core, &shop, names).await?;
            ConfigChange::NoTemplate(id.clone())
        }
        Removal::Endpoint(id) => {
            check(settings.forget_endpoint(id), expected)?;
            let names = |s: &Stage| s.automations.webhook.as_ref().is_some_and(|a| a.endpoint == *id);
            unused(core, &shop, names).await?;
            ConfigChange::NoEndpoint(id.clone())
        }
        Removal::Channel(id) => {
            let there = core.store.channel(id).await?.filter(|c| c.shop == shop);
            check(there.map(|c| c.version), expected)?;
            ConfigChange::NoChannel(id.clone())
        }
        Removal::Carrier(id) => {
            let carriers = core.store.carriers(&shop).await?;
            check(carriers.iter().find(|c| c.id == *id).map(|c| c.version), expected)?;
            settings.registrar = Registrar::of(carriers.iter().filter(|c| c.id != *id));
            ConfigChange::NoCarrier(id.clone())
        }
        Removal::Flow(id) => ConfigChange::Flow(archived(core, &shop, id, expected).await?),
    })
}

async fn archived<S: ConfigStore + OrderStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &FlowId,
    expected: Option<u64>,
) -> Result<Flow, ConfigError> {
    let there = core.store.flow(shop, id).await?.filter(|flow| flow.archived_at.is_none());
    let flow = there.ok_or(ConfigError::NotFound)?;
    check(Some(flow.version), expected)?;
    let users = users_of_flow(core, &flow).await?;
    if !users.is_empty() {
        return Err(ConfigError::InUse(users));
    }
    let version = flow.version.saturating_add(1);
    Ok(Flow { version, archived_at: Some(core.now()), ..flow })
}

fn check(there: Option<u64>, expected: Option<u64>) -> Result<(), ConfigError> {
    as_expected(there.ok_or(ConfigError::NotFound)?, expected)
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
