//! A plan as a timeline that people read.

use std::collections::BTreeMap;

use stagepost_app::mail::ports::SuppressionStore;
use stagepost_app::ports::{ConfigStore, StoreError};
use stagepost_app::simulate::{Simulated, Step, WouldBe};
use stagepost_domain::decide::Changeset;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::ChannelId;
use stagepost_domain::order::Platform;
use stagepost_domain::outcome::{NoOpReason, SkipReason};
use stagepost_domain::run::{Run, RunKey, RunState, Target};
use stagepost_domain::shop::{CarrierIntegration, Channel, Endpoint, MailMode, Settings};
use stagepost_domain::suppression::{Because, suppression_id};
use stagepost_domain::template::EmailTemplate;

use super::platform_choice;
use crate::Console;
use crate::names::Flows;
use crate::ui::{Badge, Tone};
use crate::visitor::Visit;
use crate::words::{self, Names};

/// What runs are told with: what ids are called, and what is looked at only when they leave.
pub struct Setting {
    flows: Flows,
    settings: Settings,
    channels: Vec<Channel>,
    carriers: Vec<CarrierIntegration>,
    templates: BTreeMap<String, EmailTemplate>,
    endpoints: BTreeMap<String, Endpoint>,
    /// The customer, as a mail is addressed.
    recipient: String,
    suppressed: Option<Because>,
}

/// One entry of the timeline.
pub struct Entry {
    /// What happens.
    pub title: String,
    pub badge: Badge,
    /// From where to where it would move.
    pub moved: Option<(Option<String>, String)>,
    /// Why, and what else there is to say.
    pub lines: Vec<String>,
    pub runs: Vec<RunLine>,
}

/// What would be done, or not.
pub struct RunLine {
    pub badge: Badge,
    pub icon: &'static str,
    pub what: &'static str,
    pub with: String,
    pub why: String,
}

impl Setting {
    pub async fn read<S: ConfigStore, K>(
        console: &Console<S, K>,
        visit: &Visit,
        flows: &Flows,
    ) -> Result<Self, StoreError> {
        let (store, shop) = (&console.core.store, &visit.shop);
        let (channels, carriers, templates, endpoints) = tokio::try_join!(
            store.channels(shop),
            store.carriers(shop),
            store.templates(shop),
            store.endpoints(shop)
        )?;
        Ok(Self {
            flows: flows.clone(),
            settings: visit.settings.clone(),
            channels,
            carriers,
            templates: templates.into_iter().map(|t| (t.id.to_string(), t)).collect(),
            endpoints: endpoints.into_iter().map(|e| (e.id.to_string(), e)).collect(),
            recipient: String::new(),
            suppressed: None,
        })
    }

    /// Whom mails go to, and whether that address is mailed at all.
    pub async fn customer<S: SuppressionStore, K>(
        &mut self,
        console: &Console<S, K>,
        visit: &Visit,
        name: Option<&str>,
        email: Option<&str>,
    ) -> Result<(), StoreError> {
        let Some(email) = email else { return Ok(()) };
        self.recipient = match name {
            Some(name) => format!("{name} <{email}>"),
            None => email.to_owned(),
        };
        let Ok(id) = suppression_id(&console.keys.search, &visit.shop, email) else { return Ok(()) };
        let found = console.core.store.suppression(&visit.shop, &id).await?;
        self.suppressed = found.map(|suppression| suppression.because);
        Ok(())
    }

    /// Where an invented order can come from: the shop's stores, and always the API.
    pub fn platforms(&self) -> Vec<(String, String)> {
        let all = [Platform::Shopify, Platform::Woocommerce];
        let connected = |platform: &Platform| self.channels.iter().any(|c| c.platform == *platform);
        all.into_iter().filter(connected).chain([Platform::Api]).map(platform_choice).collect()
    }

    /// The plan in words.
    pub fn told(&self, plan: Vec<Simulated>, steps: &[Step], platform: Platform) -> Vec<Entry> {
        let mut begun = 0_usize;
        let entry = |simulated: Simulated| {
            let title = match simulated.step.and_then(|n| steps.get(n)) {
                Some(step) => self.title(step, platform),
                None => {
                    begun = begun.saturating_add(1);
                    if begun == 1 {
                        "The order comes in".to_owned()
                    } else {
                        "Its parcel becomes known".to_owned()
                    }
                }
            };
            self.entry(title, &simulated.would_be, platform)
        };
        plan.into_iter().map(entry).collect()
    }

    fn title(&self, step: &Step, platform: Platform) -> String {
        let place = match platform {
            Platform::Shopify | Platform::Woocommerce => format!("on {}", platform.label()),
            Platform::Api => "over the API".to_owned(),
        };
        match step {
            Step::Move { stage } => {
                let stage = stagepost_domain::id::StageId::parse(stage).map(|id| self.flows.stage(&id));
                format!("You move it to {}", stage.unwrap_or_else(|_| "a stage that is gone".to_owned()))
            }
            Step::Package(_) => "A parcel becomes known".to_owned(),
            Step::FulfilledOnPlatform => format!("Somebody fulfills all of it {place}"),
            Step::Delivered => "The carrier confirms the delivery".to_owned(),
            Step::Cancelled => format!("It is cancelled {place}"),
        }
    }

    fn entry(&self, title: String, would_be: &WouldBe, platform: Platform) -> Entry {
        let nothing = |badge: Badge, line: String| Entry {
            title: title.clone(),
            badge,
            moved: None,
            lines: vec![line],
            runs: Vec::new(),
        };
        match would_be {
            WouldBe::Changed(changes) => self.changed(title.clone(), changes, platform),
            WouldBe::NoOp(NoOpReason::UnknownPackage) => nothing(
                Badge::new(Tone::Plain, "Nothing would change"),
                "It has no parcel with a tracking number that is still on its way.".to_owned(),
            ),
            WouldBe::NoOp(why) => {
                nothing(Badge::new(Tone::Plain, "Nothing would change"), words::no_op(*why).to_owned())
            }
            WouldBe::Ignored(why) => nothing(Badge::new(Tone::Warn, "Would be ignored"), words::ignored(why)),
            WouldBe::Refused(why) => nothing(Badge::new(Tone::Bad, "Would be refused"), words::refused(why)),
        }
    }

    fn changed(&self, title: String, changes: &Changeset, platform: Platform) -> Entry {
        let event = &changes.event;
        let mut lines = Vec::new();
        let moved = event.transition.as_ref().map(|transition| {
            let from = transition.from.as_ref().map(|stage| stage.name.clone());
            (from, transition.to.name.clone())
        });
        if let Some(refusal) = &event.refused {
            let why = words::ignored(&refusal.reason);
            lines.push(format!("It would not move to {}. {why}", refusal.to.name));
        }
        if moved.is_some() {
            lines.push(format!("Because of {}.", words::cause(&event.cause, platform, &self.flows)));
        } else {
            lines.push(format!("{}.", words::change(&event.change)));
        }
        if let Some(hold) = &changes.order.hold {
            lines.push(format!("It would be on hold. {}", words::held(hold, &self.flows)));
        }
        if moved.is_some() && event.runs.is_empty() {
            lines.push("Nothing would be sent: no automation of this stage is on.".to_owned());
        }
        let badge = match &moved {
            Some(_) => Badge::new(Tone::Good, "Would move"),
            None if event.refused.is_some() => Badge::new(Tone::Warn, "Would not move"),
            None => Badge::new(Tone::Plain, "Would stay where it is"),
        };
        let runs = event.runs.iter().map(|(key, run)| self.run(key, run, event)).collect();
        Entry { title, badge, moved, lines, runs }
    }

    fn run(&self, key: &RunKey, run: &Run, event: &Event) -> RunLine {
        let (icon, with) = self.target(&key.target, run);
        let against = match &run.state {
            RunState::Skipped { why, .. } => Some(why.clone()),
            _ => self.against_later(&key.target),
        };
        let what = words::doing(&key.target);
        if let Some(why) = against {
            let (badge, why) = (
                Badge::new(Tone::Plain, "Would be skipped"),
                words::skipped(key.action(), &why, &self.flows),
            );
            return RunLine { badge, icon, what, with, why };
        }
        let notes = when(run, event, key.action()).into_iter().chain(self.note(&key.target, run));
        let why = notes.collect::<Vec<_>>().join(" ");
        RunLine { badge: self.badge(&key.target), icon, what, with, why }
    }

    /// How a run that is not skipped would begin.
    fn badge(&self, target: &Target) -> Badge {
        match target {
            Target::Email(_) if self.settings.mail.mode == MailMode::Paused => {
                Badge::new(Tone::Warn, "Would wait")
            }
            Target::Fulfill(Some(id)) if self.is_closed(id) => Badge::new(Tone::Bad, "Would fail"),
            Target::Email(_) | Target::Webhook(..) | Target::Fulfill(_) | Target::RegisterTracker(..) => {
                Badge::new(Tone::Busy, "Would run")
            }
        }
    }

    /// Whether nothing can be told to the store yet.
    fn is_closed(&self, channel: &ChannelId) -> bool {
        self.channels.iter().any(|c| c.id == *channel && c.credentials.is_none())
    }

    /// With what, and to whom.
    fn target(&self, target: &Target, run: &Run) -> (&'static str, String) {
        match target {
            Target::Email(template) => {
                let template = self.templates.get(template.as_str());
                let template =
                    template.map_or_else(|| "a template that is gone".to_owned(), |t| t.name.clone());
                let to = match &self.settings.mail.mode {
                    MailMode::Test { to } => to.clone(),
                    MailMode::Live | MailMode::DryRun | MailMode::Paused => self.recipient.clone(),
                };
                let to = Some(to).filter(|to| !to.is_empty()).map(|to| format!(" to {to}"));
                ("mail", format!("\u{201c}{template}\u{201d}{}", to.unwrap_or_default()))
            }
            Target::Webhook(endpoint, event) => {
                let endpoint = self.endpoints.get(endpoint.as_str());
                let place = endpoint.map_or_else(
                    || "an endpoint that is gone".to_owned(),
                    |e| format!("{} ({})", e.name, e.url),
                );
                let asked = if run.subscribed { ", which subscribes to it" } else { "" };
                ("hook", format!("{} to {place}{asked}", event.as_str()))
            }
            Target::Fulfill(channel) => {
                let channel = self.channels.iter().find(|c| Some(&c.id) == channel.as_ref());
                ("check", channel.map_or_else(String::new, |c| c.name.clone()))
            }
            Target::RegisterTracker(carrier, _) => {
                let carrier = self.carriers.iter().find(|c| c.id == *carrier);
                ("truck", carrier.map_or_else(|| "a carrier that is gone".to_owned(), |c| c.name.clone()))
            }
        }
    }

    /// What is decided only when it leaves.
    fn against_later(&self, target: &Target) -> Option<SkipReason> {
        match target {
            Target::Email(_) => match (&self.suppressed, &self.settings.mail.mode) {
                (_, MailMode::DryRun) => Some(SkipReason::DryRun),
                (Some(because), MailMode::Live | MailMode::Paused) => {
                    Some(SkipReason::Suppressed { because: *because })
                }
                _ => None,
            },
            Target::Webhook(endpoint, _) => {
                let off = self.endpoints.get(endpoint.as_str()).is_some_and(|e| e.disabled.is_some());
                off.then_some(SkipReason::EndpointDisabled)
            }
            Target::Fulfill(_) | Target::RegisterTracker(..) => None,
        }
    }

    fn note(&self, target: &Target, run: &Run) -> Option<String> {
        match target {
            Target::Email(_) if self.settings.mail.mode != MailMode::Live => {
                Some(words::not_live(&self.settings.mail.mode))
            }
            Target::Fulfill(Some(id)) if self.is_closed(id) => {
                Some("The store has no credentials yet.".to_owned())
            }
            Target::Fulfill(_) => {
                run.notify_customer.then(|| "The channel mails the customer about it.".to_owned())
            }
            Target::Email(_) | Target::Webhook(..) | Target::RegisterTracker(..) => None,
        }
    }
}

/// How long after the event it would leave.
fn when(run: &Run, event: &Event, action: Action) -> Option<String> {
    let waits = run.state.due()?.duration_since(event.at).as_secs();
    // Law 12: a mail is of no use once its order has left the stage, anything else once the move was undone.
    let unless = match action {
        Action::Email => "it is moved on by then",
        Action::Webhook | Action::Fulfill | Action::RegisterTracker => "the move is undone by then",
    };
    Some(if waits > 0 { format!("After {waits} seconds, unless {unless}.") } else { "At once.".to_owned() })
}
