//! A stage as its form says it, saved or not.

use stagepost_app::config::{FlowInput, StageInput};
use stagepost_domain::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, Flow, FulfillAutomation, Stage, WebhookAutomation,
};
use stagepost_domain::id::{EndpointId, TemplateId};
use stagepost_domain::text::Invalid;

use super::draft::{flow_input, stage_input};
use crate::fields::Fields;
use crate::ui::GREY;

/// What the form says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageDraft {
    pub version: u64,
    pub name: String,
    pub color: String,
    pub description: String,
    pub customer_visible: bool,
    pub mails: bool,
    pub template: String,
    pub calls: bool,
    pub endpoint: String,
    pub advances: bool,
    pub fulfills: bool,
    pub notifies: bool,
}

impl StageDraft {
    /// The stage as it is.
    pub fn of_stage(stage: &Stage, version: u64) -> Self {
        let Automations { email, webhook, fulfill, .. } = &stage.automations;
        Self {
            version,
            name: stage.name.clone(),
            color: stage.color.clone().unwrap_or_else(|| GREY.to_owned()),
            description: stage.description.clone().unwrap_or_default(),
            customer_visible: stage.customer_visible,
            mails: email.as_ref().is_some_and(|a| a.enabled),
            template: email.as_ref().map(|a| a.template.to_string()).unwrap_or_default(),
            calls: webhook.as_ref().is_some_and(|a| a.enabled),
            endpoint: webhook.as_ref().map(|a| a.endpoint.to_string()).unwrap_or_default(),
            advances: stage.advances_on_delivery(),
            fulfills: fulfill.as_ref().is_some_and(|a| a.enabled),
            notifies: fulfill.as_ref().is_some_and(|a| a.notify_customer),
        }
    }

    /// As it was sent.
    pub fn of_form(fields: &Fields) -> Self {
        let text = |name: &str| fields.text(name).to_owned();
        Self {
            version: fields.version().unwrap_or_default(),
            name: text("name"),
            color: text("color"),
            // A browser sends each line's end as two characters.
            description: text("description").replace("\r\n", "\n"),
            customer_visible: fields.is_on("customer_visible"),
            mails: fields.is_on("automations.email.enabled"),
            template: text("automations.email.template"),
            calls: fields.is_on("automations.webhook.enabled"),
            endpoint: text("automations.webhook.endpoint"),
            advances: fields.is_on("automations.advance_on_delivery.enabled"),
            fulfills: fields.is_on("automations.fulfill.enabled"),
            notifies: fields.is_on("automations.fulfill.notify_customer"),
        }
    }

    /// The whole flow with this stage as the form says.
    ///
    /// # Errors
    /// What is switched on and says nothing to act with.
    pub fn input(&self, flow: &Flow, stage: &Stage) -> Result<FlowInput, Vec<Invalid>> {
        let written = StageInput {
            name: self.name.clone(),
            color: Some(self.color.clone()).filter(|c| !c.is_empty() && (c != GREY || stage.color.is_some())),
            description: Some(self.description.clone()).filter(|d| !d.is_empty()),
            customer_visible: self.customer_visible,
            automations: self.automations(stage)?,
            ..stage_input(stage)
        };
        let mut input = flow_input(flow);
        if let Some(place) = input.stages.iter_mut().find(|s| s.id.as_ref() == Some(&stage.id)) {
            *place = written;
        }
        Ok(input)
    }

    fn automations(&self, stage: &Stage) -> Result<Automations, Vec<Invalid>> {
        let template = TemplateId::parse(&self.template).ok();
        let endpoint = EndpointId::parse(&self.endpoint).ok();
        let mut wrong = Vec::new();
        if self.mails && template.is_none() {
            wrong.push(Invalid::new("automations.email.template", "must be chosen"));
        }
        if self.calls && endpoint.is_none() {
            wrong.push(Invalid::new("automations.webhook.endpoint", "must be chosen"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let was = &stage.automations;
        let fulfill = FulfillAutomation { enabled: self.fulfills, notify_customer: self.notifies };
        let advance = AdvanceOnDelivery { enabled: self.advances };
        Ok(Automations {
            email: template.map(|template| EmailAutomation { enabled: self.mails, template }),
            webhook: endpoint.map(|endpoint| WebhookAutomation { enabled: self.calls, endpoint }),
            fulfill: Some(fulfill).filter(|f| f.enabled || f.notify_customer || was.fulfill.is_some()),
            advance_on_delivery: Some(advance).filter(|a| a.enabled || was.advance_on_delivery.is_some()),
        })
    }

    /// Fields that say something else here and there: name, there, here.
    pub fn differences(
        &self,
        there: &Self,
        word: impl Fn(&'static str, &Self) -> String,
    ) -> Vec<(String, String, String)> {
        const FIELDS: [&str; 9] = [
            "Name",
            "Colour",
            "Description",
            "Shown to customers",
            "Send Email Notification",
            "Trigger Webhook",
            "Advance on Delivery",
            "Mark fulfilled on platform",
            "Notify customer",
        ];
        let both = FIELDS.into_iter().map(|field| (field, word(field, there), word(field, self)));
        let differ = both.filter(|(_, theirs, mine)| theirs != mine);
        differ.map(|(field, theirs, mine)| (field.to_owned(), theirs, mine)).collect()
    }
}
