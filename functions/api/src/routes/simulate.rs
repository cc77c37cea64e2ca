//! What would happen: the whole plan with reasons, and nothing written.

use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::ports::Secrets;
use stagepost_app::simulate::{Invented, SimulateError, Step, Subject, simulate};
use stagepost_domain::id::{FlowId, OrderId};
use stagepost_domain::order::Platform;
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use super::State;
use super::orders::PackageInput;
use crate::Stores;
use crate::answer::{Answer, Found};
use crate::caller::{Caller, Member};
use crate::failed::Failed;
use crate::payload::Payload;
use crate::view::{Plan, PlanStep};

/// What to play through.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulateInput {
    /// An order that is there, as it is now.
    order: Option<OrderId>,
    /// Instead of `order`: one that is made up.
    invented: Option<InventedInput>,
    /// What happens to it, at most 20 steps.
    steps: Vec<StepInput>,
}

/// An order that is made up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventedInput {
    /// The flow that it runs in.
    flow: FlowId,
    /// Where it comes from.
    platform: Platform,
    /// Whether its customer has an address; true unless said.
    #[serde(default = "yes")]
    has_email: bool,
}

impl From<InventedInput> for Invented {
    fn from(input: InventedInput) -> Self {
        let name = Some("An invented customer".to_owned());
        let email = input.has_email.then(|| "customer@example.com".to_owned());
        Self { flow: input.flow, platform: input.platform, name, email, package: None, at: None }
    }
}

fn yes() -> bool {
    true
}

/// Something that happens to an order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum StepInput {
    /// Somebody moves it.
    Move {
        /// The stage's id or name.
        stage: String,
    },
    /// A parcel becomes known.
    Package {
        /// Its number, link and carrier.
        package: PackageInput,
    },
    /// Somebody fulfills all of it on its platform.
    FulfilledOnPlatform,
    /// The carrier confirms the delivery of all its parcels.
    Delivered,
    /// It is cancelled on its platform.
    Cancelled,
}

impl StepInput {
    fn step(self, n: usize) -> Result<Step, Invalid> {
        Ok(match self {
            Self::Move { stage } => Step::Move { stage },
            Self::Package { package } => Step::Package(package.seen(&format!("steps[{n}].package"))?),
            Self::FulfilledOnPlatform => Step::FulfilledOnPlatform,
            Self::Delivered => Step::Delivered,
            Self::Cancelled => Step::Cancelled,
        })
    }
}

impl From<SimulateError> for Failed {
    fn from(error: SimulateError) -> Self {
        match error {
            // The body named it, not the path.
            SimulateError::NotFound => Problem::invalid(vec![Invalid::new("order", "no such order")]).into(),
            SimulateError::Invalid(invalid) => Problem::invalid(vec![invalid]).into(),
            SimulateError::Store(error) => error.into(),
        }
    }
}

pub async fn run<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Payload(input): Payload<SimulateInput>,
) -> Answer<Found<Plan>> {
    let subject = match (input.order, input.invented) {
        (Some(order), None) => Ok(Subject::Existing(order)),
        (None, Some(invented)) => Ok(Subject::Invented(invented.into())),
        _ => Err(Invalid::new("order", "say either order or invented")),
    };
    let subject = subject.map_err(|e| Problem::invalid(vec![e]))?;
    let steps = input.steps.into_iter().enumerate().map(|(n, step)| step.step(n));
    let steps = steps.collect::<Result<Vec<Step>, _>>().map_err(|e| Problem::invalid(vec![e]))?;
    let plan = simulate(&api.core, caller.shop(), &caller.actor(), &subject, &steps).await?;
    Ok(Found(Plan { steps: plan.into_iter().map(PlanStep::from).collect() }))
}
