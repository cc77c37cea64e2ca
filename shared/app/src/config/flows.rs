//! Flows with their stages and automations.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};
use stagepost_domain::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, Flow, FulfillAutomation, FulfilledWhen, Retired, Stage,
    WebhookAutomation,
};
use stagepost_domain::id::{EndpointId, FlowId, JobId, ShopId, StageId, TemplateId};
use stagepost_domain::job::{Job, JobKind};
use stagepost_domain::shop::Settings;
use stagepost_domain::text::Invalid;

use super::{ConfigError, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore};

/// A stage as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StageInput {
    /// Given for a stage that exists.
    pub id: Option<StageId>,
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// `#rrggbb`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^#[0-9a-fA-F]{6}$")))]
    pub color: Option<String>,
    /// Description.
    #[cfg_attr(feature = "schema", schemars(length(max = 500)))]
    pub description: Option<String>,
    /// Visible unless said otherwise.
    #[serde(default = "visible")]
    pub customer_visible: bool,
    /// What happens on entry.
    #[serde(default, deserialize_with = "automations")]
    #[cfg_attr(feature = "schema", schemars(with = "AutomationsInput"))]
    pub automations: Automations,
}

fn visible() -> bool {
    true
}

/// The automations as somebody writes them: a mistyped setting must not pass for one that is not there.
/// (What is stored stays lenient: a release that is rolled back reads what the next one wrote.)
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct AutomationsInput {
    email: Option<EmailInput>,
    webhook: Option<WebhookInput>,
    fulfill: Option<FulfillInput>,
    advance_on_delivery: Option<AdvanceInput>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct EmailInput {
    enabled: bool,
    template: TemplateId,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WebhookInput {
    enabled: bool,
    endpoint: EndpointId,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct FulfillInput {
    enabled: bool,
    #[serde(default)]
    notify_customer: bool,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct AdvanceInput {
    enabled: bool,
}

fn automations<'de, D: Deserializer<'de>>(input: D) -> Result<Automations, D::Error> {
    let input = AutomationsInput::deserialize(input)?;
    Ok(Automations {
        email: input.email.map(|a| EmailAutomation { enabled: a.enabled, template: a.template }),
        webhook: input.webhook.map(|a| WebhookAutomation { enabled: a.enabled, endpoint: a.endpoint }),
        fulfill: input
            .fulfill
            .map(|a| FulfillAutomation { enabled: a.enabled, notify_customer: a.notify_customer }),
        advance_on_delivery: input.advance_on_delivery.map(|a| AdvanceOnDelivery { enabled: a.enabled }),
    })
}

/// A flow as somebody writes it. Stages are referred to by id or by name.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FlowInput {
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// In order of position.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 50)))]
    pub stages: Vec<StageInput>,
    /// The first stage unless said otherwise.
    pub default_stage: Option<String>,
    /// None unless said.
    pub fulfilled_stage: Option<String>,
    /// `complete` unless said otherwise.
    #[serde(default)]
    pub fulfilled_when: FulfilledWhen,
    /// For each stage that an edit leaves out, by its id: the stage that stands in for it from now on. Its
    /// orders come there, and nothing is sent because of it.
    #[serde(default)]
    pub successors: BTreeMap<StageId, String>,
}

/// Makes a flow, or edits the one given, if it still has the version `expected`. A new one whose id is there
/// already was made by an earlier try of the same call.
///
/// # Errors
/// The flow is not valid, names a template or endpoint that is not there, or leaves out a stage that
/// orders may stand in; or somebody else edited it meanwhile.
pub async fn put_flow<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: Option<&FlowId>,
    input: &FlowInput,
    expected: Option<u64>,
) -> Result<Flow, ConfigError> {
    let fresh = FlowId::from_body(&core.entropy.id_body())?;
    let mut tried: Option<Flow> = None;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let existing = to_edit(core, shop, id, &fresh).await?;
        if let Some(there) = &existing
            && (id.is_none() || is_written(tried.as_ref(), there, |flow| flow.version, expected)?)
        {
            return Ok(there.clone());
        }
        let built = build_flow(core, shop, existing.as_ref().ok_or(&fresh), input)?;
        let flow = built.validated().map_err(ConfigError::Invalid)?;
        let wrong = dangling(&flow, &settings);
        if !wrong.is_empty() {
            return Err(ConfigError::Invalid(wrong));
        }
        let change = with_jobs(core, existing.as_ref(), &flow)?;
        if saved(core, change, &settings).await? {
            return Ok(flow);
        }
        tried = Some(flow);
    }
    Err(ConfigError::Busy)
}

/// The flow as it is, if it is there: the one to be edited, or a new one that a try has made already.
async fn to_edit<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: Option<&FlowId>,
    fresh: &FlowId,
) -> Result<Option<Flow>, ConfigError> {
    if let Some(id) = id {
        let there = core.store.flow(shop, id).await?.filter(|flow| flow.archived_at.is_none());
        return Ok(Some(there.ok_or(ConfigError::NotFound)?));
    }
    let flows = core.store.flows(shop).await?;
    let there = flows.iter().find(|flow| flow.id == *fresh).cloned();
    if there.is_none() {
        refuse_above("flows", flows.iter().filter(|flow| flow.archived_at.is_none()).count())?;
    }
    Ok(there)
}

/// The flow as it will be: an edit of the one there, or a new one with this id.
fn build_flow<S>(
    core: &Core<S>,
    shop: &ShopId,
    of: Result<&Flow, &FlowId>,
    input: &FlowInput,
) -> Result<Flow, ConfigError> {
    let existing = of.ok();
    let mut stages = Vec::with_capacity(input.stages.len());
    for (i, stage) in input.stages.iter().enumerate() {
        let id = match &stage.id {
            Some(id) if existing.is_some_and(|f| f.has(id)) => id.clone(),
            Some(_) => {
                return Err(Invalid::new(format!("stages[{i}].id"), "is not a stage of this flow").into());
            }
            None => StageId::from_body(&core.entropy.id_body())?,
        };
        stages.push(Stage {
            id,
            name: stage.name.clone(),
            color: stage.color.clone(),
            description: stage.description.clone(),
            customer_visible: stage.customer_visible,
            automations: stage.automations.clone(),
        });
    }
    let default_stage = match &input.default_stage {
        Some(named) => find_stage("default_stage", &stages, named)?,
        None => stages.first().map(|s| s.id.clone()).ok_or(Invalid::new("stages", "must not be empty"))?,
    };
    let fulfilled_stage =
        input.fulfilled_stage.as_ref().map(|n| find_stage("fulfilled_stage", &stages, n)).transpose()?;
    let retired = retired(existing, &stages, &input.successors)?;
    Ok(Flow {
        id: of.map_or_else(Clone::clone, |flow| flow.id.clone()),
        shop: shop.clone(),
        name: input.name.clone(),
        version: existing.map_or(1, |f| f.version.saturating_add(1)),
        stages,
        default_stage,
        fulfilled_stage,
        fulfilled_when: input.fulfilled_when,
        retired,
        archived_at: None,
    })
}

fn find_stage(field: &str, stages: &[Stage], named: &str) -> Result<StageId, Invalid> {
    stages
        .iter()
        .find(|s| s.id.as_str() == named || s.name == named)
        .map(|s| s.id.clone())
        .ok_or_else(|| Invalid::new(field, format!("no stage has the id or name \"{named}\"")))
}

fn dangling(flow: &Flow, settings: &Settings) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (i, stage) in flow.stages.iter().enumerate() {
        let automations = &stage.automations;
        if automations.email.as_ref().is_some_and(|a| !settings.templates.contains_key(&a.template)) {
            wrong.push(Invalid::new(
                format!("stages[{i}].automations.email.template"),
                "no such e-mail template",
            ));
        }
        if automations.webhook.as_ref().is_some_and(|a| !settings.endpoints.contains_key(&a.endpoint)) {
            wrong.push(Invalid::new(
                format!("stages[{i}].automations.webhook.endpoint"),
                "no such webhook endpoint",
            ));
        }
    }
    wrong
}

/// The deleted stages after an edit, each with a stage that is there now.
fn retired(
    existing: Option<&Flow>,
    stages: &[Stage],
    successors: &BTreeMap<StageId, String>,
) -> Result<BTreeMap<StageId, Retired>, ConfigError> {
    let there = |id: &StageId| stages.iter().any(|s| s.id == *id);
    let known = |id: &StageId| existing.is_some_and(|flow| flow.has(id)) && !there(id);
    if let Some(stray) = successors.keys().find(|id| !known(id)) {
        let reason = "is not a stage that this edit leaves out";
        return Err(Invalid::new(format!("successors.{stray}"), reason).into());
    }
    let Some(old) = existing else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for lost in old.stages.iter().filter(|s| !there(&s.id)) {
        let successor = match successors.get(&lost.id) {
            Some(named) => find_stage(&format!("successors.{}", lost.id), stages, named)?,
            None => return Err(left_out(lost).into()),
        };
        all.insert(lost.id.clone(), Retired { name: lost.name.clone(), successor });
    }
    for (id, gone) in &old.retired {
        let successor = all.get(&gone.successor).map_or(&gone.successor, |next| &next.successor).clone();
        all.insert(id.clone(), Retired { name: gone.name.clone(), successor });
    }
    Ok(all)
}

fn left_out(lost: &Stage) -> Invalid {
    let reason = format!(
        "stage \"{}\" ({}) is left out; orders may stand in it: name its successor in \"successors\"",
        lost.name, lost.id
    );
    Invalid::new("stages", reason)
}

/// The orders of stages that are deleted by this edit are put into the successors, all in one go with it.
fn with_jobs<S>(core: &Core<S>, old: Option<&Flow>, flow: &Flow) -> Result<ConfigChange, ConfigError> {
    let before: BTreeSet<&StageId> = old.iter().flat_map(|old| old.retired.keys()).collect();
    let mut jobs = Vec::new();
    for stage in flow.retired.keys().filter(|id| !before.contains(id)) {
        let id = JobId::from_body(&core.entropy.id_body())?;
        let kind = JobKind::Restage { stage: stage.clone() };
        jobs.push(Job::new(id, flow.shop.clone(), kind, core.now()));
    }
    Ok(ConfigChange::Flow(flow.clone()).with_jobs(jobs))
}
