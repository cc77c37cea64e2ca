//! The canary's turn: a look at the order that it wrote last, and the next one, by the same way as any order.

use stagepost_domain::Timestamp;
use stagepost_domain::canary::{CANARY_ADDRESS, Canary, Heard};
use stagepost_domain::fact::{Fact, WrittenOrder};
use stagepost_domain::flow::{Automations, EmailAutomation, FulfilledWhen};
use stagepost_domain::id::{FlowId, InvalidId, JobId, OrderId, ShopId};
use stagepost_domain::job::{Counted, Job, JobKind, Noted, PageDone, Progress};
use stagepost_domain::order::{Customer, Placement, Snapshot};
use stagepost_domain::shop::Settings;

use super::{JobStores, PageError, Tools};
use crate::Core;
use crate::apply::{Outcome, apply};
use crate::config::{ConfigError, FlowInput, StageInput, TemplateInput, create_shop, put_flow, put_template};
use crate::erase::delete_order;
use crate::ports::{ActError, CommitError, ConfigStore, JobStore, StoreError};

/// Old orders that one turn deletes: one more than come to be meanwhile, so that what an outage left goes too.
const DELETED: usize = 4;

/// The order of that number.
#[must_use]
pub fn canary_order(shop: &ShopId, turn: u64) -> OrderId {
    WrittenOrder::source(Canary::external_id(turn)).order_id(shop)
}

/// A shop's canary: one job, whose first turn comes at once.
///
/// # Errors
/// None: the name is a job's.
pub fn canary_of(shop: &ShopId, flow: FlowId, now: Timestamp) -> Result<Job, InvalidId> {
    Ok(Job::new(JobId::from_body("canary")?, shop.clone(), JobKind::Canary(Canary::new(flow)), now))
}

/// Makes a shop of its own for the canary, whose default stage mails, and has it sing. One that is there is completed.
///
/// # Errors
/// The sender's address is not valid, or the store failed.
pub async fn make_canary<S: ConfigStore + JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    from: &str,
) -> Result<Settings, ConfigError> {
    if core.store.settings(shop).await?.is_none() {
        // Nobody needs its key: whoever wants to look makes another.
        create_shop(core, shop, "Canary", from).await?;
    }
    let flow = match core.store.flows(shop).await?.into_iter().next() {
        Some(flow) => flow.id,
        None => flow(core, shop).await?,
    };
    let job = canary_of(shop, flow, core.now())?;
    match core.store.create_job(&job).await {
        Ok(()) | Err(CommitError::LostRace | CommitError::Conflict) => {}
        Err(CommitError::Store(error)) => return Err(error.into()),
    }
    core.store.settings(shop).await?.ok_or(ConfigError::NotFound)
}

async fn flow<S: ConfigStore>(core: &Core<S>, shop: &ShopId) -> Result<FlowId, ConfigError> {
    let template = TemplateInput {
        name: "Canary".into(),
        subject: "{{orderNumber}}".into(),
        html: None,
        text: Some("{{orderNumber}} has left.".into()),
    };
    let template = put_template(core, shop, None, &template, None).await?.id;
    let mails =
        Automations { email: Some(EmailAutomation { enabled: true, template }), ..Automations::default() };
    let stage = |name: &str, automations| StageInput {
        id: None,
        name: name.into(),
        color: None,
        description: None,
        customer_visible: false,
        automations,
    };
    let input = FlowInput {
        name: "Canary".into(),
        stages: vec![stage("Sings", mails), stage("Rests", Automations::default())],
        default_stage: Some("Sings".into()),
        fulfilled_stage: None,
        fulfilled_when: FulfilledWhen::Complete,
        successors: std::collections::BTreeMap::new(),
    };
    Ok(put_flow(core, shop, None, &input, None).await?.id)
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: JobStores,
{
    /// A turn. Taken twice it looks twice at one order and writes one.
    pub(super) async fn canary(&self, shop: &ShopId, canary: &Canary) -> Result<PageDone, PageError> {
        let core = self.core;
        let settings = core.store.settings(shop).await?.ok_or(PageError::Gone)?;
        let heard = heard(core, &settings, canary).await?;
        if let Some(heard) = heard {
            tracing::info!(%shop, canary = heard.code(), canary_lag_ms = heard.lag_ms(), "canary");
        }
        let outlived = canary.outlived(DELETED);
        for turn in &outlived {
            delete_order(core, shop, &canary_order(shop, *turn)).await?;
        }
        let (next, fact) = (canary_order(shop, next(canary)), order(core, canary)?);
        let mut progress = Progress::default();
        progress.count(match apply(core, shop, &next, &fact).await? {
            Outcome::Changed(_) => Counted::Changed,
            // By a turn that was cut off before it was recorded.
            Outcome::NoOp(_) => Counted::Same,
            Outcome::Ignored(_) | Outcome::Refused(_) => Counted::Refused,
        });
        let noted = Noted::Sung(canary.sung(outlived.last().copied(), heard));
        Ok(PageDone { progress, next: None, noted })
    }
}

fn next(canary: &Canary) -> u64 {
    canary.turn.saturating_add(1)
}

/// What became of the last order's mail; nothing before the first.
async fn heard<S: JobStores>(
    core: &Core<S>,
    settings: &Settings,
    canary: &Canary,
) -> Result<Option<Heard>, StoreError> {
    if canary.turn == 0 {
        return Ok(None);
    }
    let id = canary_order(&settings.shop, canary.turn);
    // Its entry into the stage that mails, whatever number a restore gave that.
    let event = match core.store.order(&id).await?.map(|order| order.placement) {
        Some(Placement::Placed { entered_seq, .. }) => core.store.event(&id, entered_seq).await?,
        Some(Placement::Awaiting | Placement::Untriaged) | None => None,
    };
    Ok(Some(Heard::of(event.as_ref(), settings.grace())))
}

/// The next order, as a program would write it.
fn order<S>(core: &Core<S>, canary: &Canary) -> Result<Fact, PageError> {
    let customer =
        Customer { name: Some("Canary".to_owned()), email: Some(CANARY_ADDRESS.to_owned()), phone: None };
    let written = WrittenOrder {
        external_id: Canary::external_id(next(canary)),
        number: None,
        snapshot: Snapshot { customer, ..Snapshot::default() },
        packages: None,
        flow: Some(canary.flow.clone()),
        by: None,
    };
    let fact = written.fact(core.now());
    Ok(Fact::Order(Box::new(fact.map_err(|_| ActError::permanent("no order is written like that"))?)))
}
