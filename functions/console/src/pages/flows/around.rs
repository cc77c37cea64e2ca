//! What automations lean on, and the warnings that follow.

use stagepost_app::ports::{ConfigStore, StoreError};
use stagepost_domain::flow::Flow;
use stagepost_domain::flow::warnings::{About, Around, Surprise, warnings};
use stagepost_domain::id::{EndpointId, StageId, TemplateId};
use stagepost_domain::shop::{CarrierIntegration, Channel, Endpoint};
use stagepost_domain::template::EmailTemplate;

use super::stage_path;
use crate::Console;
use crate::ui::Tone;
use crate::visitor::Visit;
use crate::words;

/// The shop's channels, carriers, templates and endpoints.
pub struct Surroundings {
    pub channels: Vec<Channel>,
    pub carriers: Vec<CarrierIntegration>,
    pub templates: Vec<EmailTemplate>,
    pub endpoints: Vec<Endpoint>,
}

/// A warning as a page shows it.
pub struct Told {
    pub tone: Tone,
    pub text: String,
    /// The stage's name and page, where a list of several stages shows it.
    pub stage: Option<(String, String)>,
    /// Where it is mended: path and words.
    pub next: Option<(String, &'static str)>,
    pub about: About,
    of: Option<StageId>,
}

impl Surroundings {
    /// Reads all of them at once.
    pub async fn read<S: ConfigStore, K>(console: &Console<S, K>, visit: &Visit) -> Result<Self, StoreError> {
        let (store, shop) = (&console.core.store, &visit.shop);
        let (channels, carriers, templates, endpoints) = tokio::try_join!(
            store.channels(shop),
            store.carriers(shop),
            store.templates(shop),
            store.endpoints(shop)
        )?;
        Ok(Self { channels, carriers, templates, endpoints })
    }

    /// What would surprise about a flow, in words.
    pub fn warnings(&self, flow: &Flow, visit: &Visit) -> Vec<Told> {
        let Self { channels, carriers, templates, endpoints } = self;
        let around = Around { settings: &visit.settings, channels, carriers, templates, endpoints };
        let told = |(stage, what): (Option<StageId>, Surprise)| {
            let (tone, text) = words::surprise(&what);
            let at = stage.as_ref().and_then(|id| flow.stage(id));
            let at = at.map(|stage| (stage.name.clone(), stage_path(&flow.id, &stage.id)));
            Told { tone, text, stage: at, next: words::mended_at(&what), about: what.about(), of: stage }
        };
        warnings(flow, &around).into_iter().map(|w| told((w.stage, w.what))).collect()
    }

    /// The names of the channels that put new orders into a flow.
    pub fn users(&self, flow: &Flow) -> Vec<String> {
        let of_flow = |channel: &&Channel| channel.default_flow.as_ref() == Some(&flow.id);
        self.channels.iter().filter(of_flow).map(|channel| channel.name.clone()).collect()
    }

    /// Templates to choose from; one that is chosen and gone is among them.
    pub fn template_choices(&self, chosen: &str) -> Vec<(String, String)> {
        let all = self.templates.iter().map(|t| (t.id.to_string(), t.name.clone()));
        let gone = TemplateId::parse(chosen).is_ok();
        choices("Choose a template", all, chosen, gone.then_some("A template that is gone"))
    }

    /// Endpoints to choose from, in the same way.
    pub fn endpoint_choices(&self, chosen: &str) -> Vec<(String, String)> {
        let name = |e: &Endpoint| match e.disabled {
            Some(_) => format!("{} (switched off)", e.name),
            None => e.name.clone(),
        };
        let all = self.endpoints.iter().map(|e| (e.id.to_string(), name(e)));
        let gone = EndpointId::parse(chosen).is_ok();
        choices("Choose an endpoint", all, chosen, gone.then_some("An endpoint that is gone"))
    }
}

fn choices(
    none: &str,
    all: impl Iterator<Item = (String, String)>,
    chosen: &str,
    gone: Option<&str>,
) -> Vec<(String, String)> {
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|(_, name)| name.to_lowercase());
    let gone = gone.filter(|_| all.iter().all(|(id, _)| id != chosen));
    all.extend(gone.map(|name| (chosen.to_owned(), name.to_owned())));
    all.insert(0, (String::new(), none.to_owned()));
    all
}

impl Told {
    /// Whether it is about that stage.
    pub fn is_of(&self, stage: &StageId) -> bool {
        self.of.as_ref() == Some(stage)
    }
}
