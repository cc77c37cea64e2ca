//! Templates before they are sent to anybody: previews, test mails, starters.

use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::mail::preview::preview;
use stagepost_app::mail::trial::{self, TrialInput};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::{MailId, OrderId, TemplateId};
use stagepost_domain::template::Parts;
use stagepost_domain::template::starters::{self, Starter};
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Accepted, Answer, Found, Limited, List};
use crate::caller::{Admin, Caller, Member};
use crate::payload::{Named, Payload};
use crate::view::{PreviewView, TestMailView};

/// Parts that need not be saved, and whose words fill them in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewInput {
    /// Subject line.
    #[schemars(length(min = 1, max = 300))]
    subject: String,
    /// HTML part.
    #[schemars(length(max = 100_000))]
    html: Option<String>,
    /// Plain part.
    #[schemars(length(max = 100_000))]
    text: Option<String>,
    /// An order; an invented one unless said.
    order: Option<OrderId>,
}

/// Whose words fill a template in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleInput {
    /// An order; an invented one unless said.
    order: Option<OrderId>,
}

pub async fn unsaved<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Payload(input): Payload<PreviewInput>,
) -> Answer<Found<PreviewView>> {
    let PreviewInput { subject, html, text, order } = &input;
    let parts = Parts { subject, html: html.as_deref(), text: text.as_deref() };
    let shown = preview(&api.core, &*api.links, caller.shop(), parts, None, order.as_ref());
    Ok(Found(Box::pin(shown).await?.into()))
}

pub async fn saved<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<TemplateId>,
    Payload(input): Payload<SampleInput>,
) -> Answer<Found<PreviewView>> {
    let found = api.core.store.template(caller.shop(), &id, None).await?;
    let template = found.ok_or_else(|| Problem::not_found("e-mail template"))?;
    let order = input.order.as_ref();
    let shown = preview(&api.core, &*api.links, caller.shop(), template.parts(), Some(&id), order);
    Ok(Found(Box::pin(shown).await?.into()))
}

pub async fn starters<S: Stores, K: Secrets + 'static>(
    _: State<S, K>,
    _: Caller,
) -> Answer<Found<List<Starter>>> {
    Ok(List::whole(starters::all()))
}

pub async fn test<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<TemplateId>,
    Payload(input): Payload<TrialInput>,
) -> Answer<Limited<Accepted<TestMailView>>> {
    Ok(Limited(Accepted(trial::ask(&api.core, caller.shop(), &id, &input).await?.into())))
}

pub async fn test_mail<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<MailId>,
) -> Answer<Found<TestMailView>> {
    let found = trial::read(&api.core, caller.shop(), &id).await?;
    Ok(Found(found.ok_or_else(|| Problem::not_found("test mail"))?.into()))
}
