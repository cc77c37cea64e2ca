//! Orders: create, read, list, move, packages, timeline.

use axum::extract::Query;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::ports::{OrderFilter, Secrets};
use stagepost_domain::decide::Refused;
use stagepost_domain::fact::{Fact, FulfillmentSeen, MoveFact, OrderFact, Origin, PackageEdit};
use stagepost_domain::id::{FlowId, OrderId, PackageId, StageId};
use stagepost_domain::order::{
    Customer, FIELD_MAX, LINES_MAX, Lifecycle, Line, Order, Platform, Snapshot, Source,
};
use stagepost_domain::package::{PACKAGES_MAX, PackageSeen};
use stagepost_domain::shop::Role;
use stagepost_domain::text::{Invalid, required_name, tidy};
use stagepost_lambda::http::Problem;

use super::{Answer, State, created, ok};
use crate::caller::Caller;
use crate::payload::{Failed, Named, Payload};
use crate::{Api, Stores, view};

/// Most items of a page.
const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 25;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    stage: Option<String>,
    #[serde(default)]
    untriaged: bool,
    cursor: Option<String>,
    limit: Option<usize>,
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        n @ 1..=LIMIT_MAX => Ok(n),
        _ => Err(Problem::invalid(vec![Invalid::new("limit", format!("must be 1 to {LIMIT_MAX}"))])),
    }
}

type Queried<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

fn query<T>(queried: Queried<T>) -> Result<T, Problem> {
    let refused = |e: axum::extract::rejection::QueryRejection| {
        Problem::invalid(vec![Invalid::new("query", e.body_text())])
    };
    queried.map(|Query(q)| q).map_err(refused)
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    queried: Queried<ListQuery>,
) -> Answer {
    let q = query(queried)?;
    let filter = match (&q.stage, q.untriaged) {
        (Some(stage), false) => {
            let wrong = |_| Problem::invalid(vec![Invalid::new("stage", "must be a stage's id")]);
            OrderFilter::Stage(StageId::parse(stage).map_err(wrong)?)
        }
        (None, true) => OrderFilter::Untriaged,
        _ => {
            let reason = "say either stage=stg_… or untriaged=true";
            return Err(Problem::invalid(vec![Invalid::new("stage", reason)]).into());
        }
    };
    let page = api.core.store.orders(caller.shop(), &filter, q.cursor.as_deref(), limit(q.limit)?).await?;
    super::list(page.items.iter().map(|o| json!(o)).collect(), page.next.as_ref())
}

/// The caller's order with this id; anybody else's is not there.
async fn own<S: Stores, K>(api: &Api<S, K>, caller: &Caller, id: &str) -> Result<Order, Failed> {
    let id = OrderId::parse(id).map_err(|_| Problem::not_found("order"))?;
    let order = api.core.store.order(&id).await?.filter(|o| o.shop == *caller.shop());
    Ok(order.ok_or_else(|| Problem::not_found("order"))?)
}

async fn shown<S: Stores, K>(api: &Api<S, K>, id: &OrderId) -> Result<Value, Failed> {
    let found = api.core.store.order_with_snapshot(id).await?;
    let (order, snapshot) = found.ok_or_else(|| Problem::not_found("order"))?;
    let packages = api.core.store.packages(id).await?;
    let flow = match order.flow() {
        Some(flow) => api.core.store.flow(&order.shop, flow).await?,
        None => None,
    };
    Ok(view::order(&order, snapshot.as_ref(), &packages, flow.as_ref(), &api.links.link(&order)))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let order = own(&api, &caller, &id).await?;
    ok(shown(&api, &order.id).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    cursor: Option<String>,
    limit: Option<usize>,
}

pub async fn timeline<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    queried: Queried<TimelineQuery>,
) -> Answer {
    let q = query(queried)?;
    let order = own(&api, &caller, &id).await?;
    let page = api.core.store.timeline(&order.id, q.cursor.as_deref(), limit(q.limit)?).await?;
    super::list(page.items.iter().map(view::entry).collect(), page.next.as_ref())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderInput {
    /// The caller's own id of the order: the same again is the same order.
    external_id: String,
    /// As the shop prints it; the external id unless said.
    number: Option<String>,
    #[serde(default)]
    customer: CustomerInput,
    #[serde(default)]
    lines: Vec<LineInput>,
    total: Option<String>,
    currency: Option<String>,
    #[serde(default)]
    ship_to: Vec<String>,
    packages: Option<Vec<PackageInput>>,
    flow: Option<FlowId>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct CustomerInput {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineInput {
    title: String,
    sku: Option<String>,
    quantity: u32,
    price: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageInput {
    number: Option<String>,
    url: Option<String>,
    carrier: Option<String>,
}

impl PackageInput {
    fn seen(&self, field: &str) -> Result<PackageSeen, Invalid> {
        PackageSeen::parse(self.number.as_deref(), self.url.as_deref(), self.carrier.as_deref())
            .ok_or_else(|| Invalid::new(field, "needs a tracking number, or an http(s) URL, or both"))
    }
}

impl OrderInput {
    fn fact(&self, now: stagepost_domain::Timestamp) -> Result<OrderFact, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let external_id = required_name("external_id", &self.external_id, 100);
        let packages = self.packages(&mut wrong);
        if self.lines.len() > LINES_MAX {
            wrong.push(Invalid::new("lines", format!("at most {LINES_MAX} are taken")));
        }
        if self.customer.email.as_deref().is_some_and(|e| !e.contains('@') || e.contains(char::is_whitespace))
        {
            wrong.push(Invalid::new("customer.email", "must be an e-mail address"));
        }
        let external_id = match external_id {
            Ok(id) if wrong.is_empty() => id,
            other => {
                wrong.extend(other.err());
                return Err(wrong);
            }
        };
        let number =
            self.number.as_deref().and_then(|n| tidy(n, FIELD_MAX)).unwrap_or_else(|| external_id.clone());
        let source = Source { platform: Platform::Api, store: "api".into(), external_id, channel: None };
        Ok(OrderFact {
            source,
            // Not our clock's word: of two calls the one that is decided last is the newer.
            updated_at: None,
            created_at: now,
            number,
            lifecycle: Lifecycle::Open,
            snapshot: self.snapshot(),
            fulfillment: FulfillmentSeen { packages, ..FulfillmentSeen::default() },
            draft: false,
            origin: Origin::Live,
            armed_at: None,
            default_flow: self.flow.clone(),
        })
    }

    fn packages(&self, wrong: &mut Vec<Invalid>) -> Option<Vec<PackageSeen>> {
        let inputs = self.packages.as_ref()?;
        if inputs.len() > PACKAGES_MAX {
            wrong.push(Invalid::new("packages", format!("at most {PACKAGES_MAX} are taken")));
            return None;
        }
        let mut seen = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.iter().enumerate() {
            match input.seen(&format!("packages[{i}]")) {
                Ok(package) => seen.push(package),
                Err(e) => wrong.push(e),
            }
        }
        Some(seen)
    }

    fn snapshot(&self) -> Snapshot {
        let text = |value: &Option<String>| value.as_deref().and_then(|v| tidy(v, FIELD_MAX));
        let line = |l: &LineInput| Line {
            title: tidy(&l.title, FIELD_MAX).unwrap_or_default(),
            sku: text(&l.sku),
            quantity: l.quantity.to_string(),
            price: text(&l.price),
        };
        Snapshot {
            customer: Customer {
                name: text(&self.customer.name),
                email: text(&self.customer.email),
                phone: text(&self.customer.phone),
            },
            ship_to: self.ship_to.iter().take(10).filter_map(|l| tidy(l, FIELD_MAX)).collect(),
            lines: self.lines.iter().map(line).collect(),
            line_count: u32::try_from(self.lines.len()).unwrap_or(u32::MAX),
            total: text(&self.total),
            currency: text(&self.currency),
            platform_status: None,
        }
    }
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<OrderInput>,
) -> Answer {
    caller.at_least(Role::Member)?;
    let fact = input.fact(api.core.now()).map_err(Problem::invalid)?;
    if let Some(flow) = &fact.default_flow
        && api.core.store.flow(caller.shop(), flow).await?.is_none()
    {
        return Err(Problem::invalid(vec![Invalid::new("flow", "no such flow")]).into());
    }
    let id = fact.source.order_id(caller.shop());
    let outcome = apply(&api.core, caller.shop(), &id, &Fact::Order(Box::new(fact))).await?;
    let new = matches!(&outcome, Outcome::Changed(changes) if changes.event.seq == 1);
    settled(outcome)?;
    let view = shown(&api, &id).await?;
    if new { created(view) } else { ok(view) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveInput {
    /// The stage's id, or its name in the order's flow.
    stage: String,
    /// The order's `seq` as last seen: a stale screen gets 409.
    expected_seq: u64,
}

pub async fn move_order<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(input): Payload<MoveInput>,
) -> Answer {
    caller.at_least(Role::Member)?;
    let order = own(&api, &caller, &id).await?;
    let stage = named_stage(&api, &order, &input.stage).await?;
    let fact = MoveFact { stage, expected_seq: input.expected_seq, actor: caller.actor() };
    settled(apply(&api.core, caller.shop(), &order.id, &Fact::Move(fact)).await?)?;
    ok(shown(&api, &order.id).await?)
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

pub async fn resume<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    caller.at_least(Role::Member)?;
    let order = own(&api, &caller, &id).await?;
    settled(apply(&api.core, caller.shop(), &order.id, &Fact::Resume { actor: caller.actor() }).await?)?;
    ok(shown(&api, &order.id).await?)
}

pub async fn add_package<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(input): Payload<PackageInput>,
) -> Answer {
    caller.at_least(Role::Member)?;
    let order = own(&api, &caller, &id).await?;
    let seen = input.seen("number").map_err(|e| Problem::invalid(vec![e]))?;
    edit_packages(&api, &caller, &order, PackageEdit::Add(seen)).await
}

pub async fn remove_package<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named((id, package)): Named<(String, String)>,
) -> Answer {
    caller.at_least(Role::Member)?;
    let order = own(&api, &caller, &id).await?;
    let package = PackageId::parse(&package).map_err(|_| Problem::not_found("package"))?;
    edit_packages(&api, &caller, &order, PackageEdit::Remove(package)).await
}

async fn edit_packages<S: Stores, K>(
    api: &Api<S, K>,
    caller: &Caller,
    order: &Order,
    edit: PackageEdit,
) -> Answer {
    let fact = Fact::Packages { edit, actor: caller.actor() };
    settled(apply(&api.core, caller.shop(), &order.id, &fact).await?)?;
    ok(shown(api, &order.id).await?)
}

/// A request that could not be met as the order stands, in words and with what a program needs.
fn settled(outcome: Outcome) -> Result<(), Failed> {
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
        Refused::OnHold => conflict("on-hold", "The order is on hold")
            .detail("Automation moved it in circles. Look at its timeline, then resume it."),
        Refused::TooMany { limit } => {
            Problem::invalid(vec![Invalid::new("packages", format!("an order has at most {limit}"))])
        }
    }
    .into())
}
