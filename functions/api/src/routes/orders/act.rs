//! What people and programs do to an order: move it, release it, edit its packages.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::erase::erase_people;
use stagepost_app::ports::Secrets;
use stagepost_domain::decide::Refused;
use stagepost_domain::fact::{AssignFact, Assigner, Fact, Follows, MoveFact, PackageEdit};
use stagepost_domain::id::{FlowId, OrderId, PackageId, ShopId, StageId};
use stagepost_domain::order::Order;
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use super::input::{PackageInput, PackagePatchInput};
use super::{State, own, shown};
use crate::answer::{Answer, Found};
use crate::caller::{Admin, Caller, Member};
use crate::failed::Failed;
use crate::payload::{Named, Payload};
use crate::view::OrderView;
use crate::{Api, Stores};

/// Where an order is to go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveInput {
    /// The stage's id, or its name in the order's flow.
    stage: String,
    /// The order's `seq` as last seen: a stale screen gets 409.
    expected_seq: u64,
    /// Nothing follows from it: no mails, webhooks or fulfillments.
    #[serde(default)]
    quiet: bool,
}

pub async fn move_to<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<OrderId>,
    Payload(input): Payload<MoveInput>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    let stage = named_stage(&api, &order, &input.stage).await?;
    let fact = MoveFact {
        stage,
        expected_seq: input.expected_seq,
        actor: caller.actor(),
        follows: if input.quiet { Follows::Nothing } else { Follows::All },
    };
    let outcome = apply(&api.core, caller.shop(), &order.id, &Fact::Move(fact.clone())).await?;
    let stale = matches!(outcome, Outcome::Refused(Refused::Stale { .. }));
    if !(stale && api.resumed && was_met(&api, &order.id, &fact).await?) {
        settled(outcome)?;
    }
    Ok(Found(shown(&api, &order.id).await?))
}

/// Whether the wish was met when it came before, and only the answer was lost.
async fn was_met<S: Stores, K>(api: &Api<S, K>, order: &OrderId, wish: &MoveFact) -> Result<bool, Failed> {
    let next = api.core.store.event(order, wish.expected_seq.saturating_add(1)).await?;
    Ok(next.is_some_and(|event| event.meets(wish)))
}

async fn named_stage<S: Stores, K>(api: &Api<S, K>, order: &Order, named: &str) -> Result<StageId, Failed> {
    if let Ok(id) = StageId::parse(named) {
        return Ok(id);
    }
    let flow = match order.flow() {
        Some(flow) => api.core.store.flow(&order.shop, flow).await?,
        None => None,
    };
    let stage = flow.and_then(|f| f.stages.into_iter().find(|s| s.name == named));
    Ok(stage.map(|s| s.id).ok_or_else(unknown_stage)?)
}

fn unknown_stage() -> Problem {
    Problem::invalid(vec![Invalid::new("stage", "no stage of the order's flow has this id or name")])
}

/// Which flow an order is to run in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignInput {
    /// The flow.
    flow: FlowId,
    /// A stage's id, or its name in that flow; the furthest that the order's state asks for unless said.
    stage: Option<String>,
    /// The order's `seq` as last seen: a stale screen gets 409.
    expected_seq: u64,
}

pub async fn assign<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<OrderId>,
    Payload(input): Payload<AssignInput>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    let flow = api.core.store.flow(caller.shop(), &input.flow).await?;
    let named = |named: &String| {
        let by_name = flow.iter().flat_map(|f| &f.stages).find(|s| s.name == *named).map(|s| s.id.clone());
        by_name.or_else(|| StageId::parse(named).ok()).ok_or_else(unknown_stage)
    };
    let stage = input.stage.as_ref().map(named).transpose()?;
    let by = Assigner::By { actor: caller.actor(), expected_seq: input.expected_seq };
    let fact = Fact::Assign(AssignFact { flow: input.flow, stage, by });
    done(&api, caller.shop(), &order, fact).await
}

pub async fn hold<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<OrderId>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    done(&api, caller.shop(), &order, Fact::Hold { actor: caller.actor() }).await
}

pub async fn renew_link<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<OrderId>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    done(&api, caller.shop(), &order, Fact::RenewLink { actor: caller.actor() }).await
}

pub async fn erase<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<OrderId>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    erase_people(&api.core, caller.shop(), &order.id, Some(caller.actor())).await?;
    Ok(Found(shown(&api, &order.id).await?))
}

pub async fn resume<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<OrderId>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    done(&api, caller.shop(), &order, Fact::Resume { actor: caller.actor() }).await
}

pub async fn add_package<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<OrderId>,
    Payload(input): Payload<PackageInput>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    let seen = input.seen("number").map_err(|e| Problem::invalid(vec![e]))?;
    let fact = Fact::Packages { edit: PackageEdit::Add(seen), actor: caller.actor() };
    done(&api, caller.shop(), &order, fact).await
}

pub async fn correct_package<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named((id, package)): Named<(OrderId, PackageId)>,
    Payload(input): Payload<PackagePatchInput>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    let patch = input.patch().map_err(Problem::invalid)?;
    let fact = Fact::Packages { edit: PackageEdit::Correct(package, patch), actor: caller.actor() };
    done(&api, caller.shop(), &order, fact).await
}

pub async fn remove_package<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named((id, package)): Named<(OrderId, PackageId)>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    let fact = Fact::Packages { edit: PackageEdit::Remove(package), actor: caller.actor() };
    done(&api, caller.shop(), &order, fact).await
}

/// Applies the fact and shows the order as it is then.
async fn done<S: Stores, K>(
    api: &Api<S, K>,
    shop: &ShopId,
    order: &Order,
    fact: Fact,
) -> Answer<Found<OrderView>> {
    settled(apply(&api.core, shop, &order.id, &fact).await?)?;
    Ok(Found(shown(api, &order.id).await?))
}

/// A request that could not be met as the order stands, in words and with what a program needs.
pub fn settled(outcome: Outcome) -> Result<(), Failed> {
    let Outcome::Refused(refused) = outcome else { return Ok(()) };
    let conflict = |code: &str, title: &str| Problem::new(StatusCode::CONFLICT, code, title);
    Err(match refused {
        Refused::UnknownOrder => Problem::not_found("order"),
        Refused::UnknownPackage => Problem::not_found("package"),
        Refused::EmptyPackage => {
            let reason = "a package needs a tracking number, or an http(s) URL, or both";
            Problem::invalid(vec![Invalid::new("number", reason)])
        }
        Refused::UnknownStage => unknown_stage(),
        Refused::Stale { stage, seq } => conflict("stale", "The order has changed since you looked")
            .detail("Look at where it stands now, and move it from there.")
            .with(json!({"stage": stage, "seq": seq})),
        Refused::UnknownFlow => Problem::invalid(vec![Invalid::new("flow", "no such flow")]),
        Refused::AlreadyPlaced => conflict("already-placed", "The order is in this flow already")
            .detail("Move it to another of its stages."),
        Refused::NotPlaced => conflict("not-placed", "The order is in no flow"),
        Refused::OnHold => {
            conflict("on-hold", "The order is on hold").detail("Look at its timeline, then resume it.")
        }
        Refused::TooMany { limit } => {
            Problem::invalid(vec![Invalid::new("packages", format!("an order has at most {limit}"))])
        }
    }
    .into())
}
