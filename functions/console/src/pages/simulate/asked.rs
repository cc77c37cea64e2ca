//! What is asked for, in the address: a simulation can be kept and sent to others.

use stagepost_app::simulate::{Invented, Step};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{FlowId, OrderId, StageId};
use stagepost_domain::order::Platform;
use stagepost_domain::package::PackageSeen;
use url::form_urlencoded;

use crate::fields::Fields;
use crate::names::Flows;

/// Steps of one simulation, as many as the form has places for.
pub const STEPS: usize = 3;

/// What can happen to an order beside somebody moving it: as the form says it, and in words.
pub const FACTS: [(&str, &str); 4] = [
    ("fulfilled", "Somebody fulfills it on its channel"),
    ("package", "A parcel becomes known"),
    ("delivered", "The carrier confirms the delivery"),
    ("cancelled", "It is cancelled on its channel"),
];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub order: Option<OrderId>,
    /// Whether an order of the shop is wanted.
    pub existing: bool,
    pub flow: Option<FlowId>,
    pub invented: InventedForm,
    /// The steps as the form says them.
    pub said: Vec<String>,
    /// Whether there is enough to play it through at once.
    pub runs: bool,
}

/// An order that is made up, as its form says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InventedForm {
    pub platform: String,
    /// The stage that it stands in; none if it only comes in.
    pub at: String,
    pub name: String,
    pub email: String,
    pub tracking: bool,
}

impl Asked {
    pub fn of(fields: &Fields, flows: &Flows) -> Self {
        // From the page of a stage: what happens when an order comes there?
        let stage = StageId::parse(fields.text("stage")).ok();
        let entered = stage.and_then(|id| flows.find(&id));
        let runs = fields.is_on("go") || entered.is_some();
        let flow = entered.map(|(flow, _)| flow).or_else(|| flows.asked(fields.text("flow")));
        let mut said: Vec<String> = fields.all("step").take(STEPS).map(str::to_owned).collect();
        let mut invented = InventedForm::of(fields, runs && entered.is_none());
        if let Some((flow, stage)) = entered {
            let before = flow.position(&stage.id).and_then(|at| flow.stages.get(at.checked_sub(1)?));
            invented.at = before.map(|stage| stage.id.to_string()).unwrap_or_default();
            let moved = Some(stage).filter(|stage| stage.id != flow.default_stage || before.is_some());
            said = moved.into_iter().map(|stage| format!("move:{}", stage.id)).collect();
        }
        Self {
            order: OrderId::parse(fields.text("order")).ok(),
            existing: fields.is_on("existing"),
            flow: flow.map(|flow| flow.id.clone()),
            invented,
            said,
            runs,
        }
    }

    /// The steps that say something.
    pub fn steps(&self) -> Vec<Step> {
        self.said.iter().filter_map(|said| step(said)).collect()
    }

    /// The flows to choose from, where there are several: name, path, whether it is this one.
    pub fn tabs(&self, flows: &Flows) -> Vec<(String, String, bool)> {
        let tab = |flow: &Flow| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("flow", flow.id.as_str())
                .finish();
            (flow.name.clone(), format!("/simulate?{query}"), self.flow.as_ref() == Some(&flow.id))
        };
        if flows.0.len() > 1 { flows.0.iter().map(tab).collect() } else { Vec::new() }
    }
}

fn step(said: &str) -> Option<Step> {
    Some(match said {
        "fulfilled" => Step::FulfilledOnPlatform,
        "package" => Step::Package(PackageSeen::parse(Some("SIMULATED2"), None, None)?),
        "delivered" => Step::Delivered,
        "cancelled" => Step::Cancelled,
        _ => Step::Move { stage: StageId::parse(said.strip_prefix("move:")?).ok()?.to_string() },
    })
}

impl InventedForm {
    /// As the form says; as it begins where none was sent.
    fn of(fields: &Fields, sent: bool) -> Self {
        if !sent {
            return Self {
                name: "Ada Example".to_owned(),
                email: "ada@example.com".to_owned(),
                tracking: true,
                ..Self::default()
            };
        }
        let text = |name: &str| fields.text(name).to_owned();
        Self {
            platform: text("platform"),
            at: text("at"),
            name: text("name"),
            email: text("email"),
            tracking: fields.is_on("tracking"),
        }
    }

    /// The order that it describes.
    pub fn subject(&self, flow: &Flow) -> Invented {
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let package = self.tracking.then(|| PackageSeen::parse(Some("SIMULATED1"), None, None)).flatten();
        Invented {
            flow: flow.id.clone(),
            platform: match self.platform.as_str() {
                "shopify" => Platform::Shopify,
                "woocommerce" => Platform::Woocommerce,
                _ => Platform::Api,
            },
            name: said(&self.name),
            email: said(&self.email),
            package,
            at: StageId::parse(&self.at).ok(),
        }
    }
}

/// The stages of a flow to move to.
pub fn stages(flow: &Flow) -> Vec<(String, String)> {
    flow.stages.iter().map(|stage| (stage.id.to_string(), stage.name.clone())).collect()
}

/// Where an invented order can stand.
pub fn places(flow: &Flow) -> Vec<(String, String)> {
    std::iter::once((String::new(), "Nowhere yet: it comes in".to_owned())).chain(stages(flow)).collect()
}
