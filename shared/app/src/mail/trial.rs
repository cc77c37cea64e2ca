//! Test mails: a template sent to its author. One that is asked for is stored, `dispatch` rings for it, and the
//! mail runner claims it and sends it once at most, as it does the others.
//!
//! A test goes to the shop's own addresses and to those that its settings name, never to any other: whoever has
//! an admin's key must not be able to mail strangers in the shop's name.

use std::collections::BTreeMap;

use serde::Deserialize;
use stagepost_domain::SignedDuration;
use stagepost_domain::id::{InvalidId, OrderId, ShopId, TemplateId, TestMailId};
use stagepost_domain::shop::Settings;
use stagepost_domain::template::EmailTemplate;
use stagepost_domain::text::Invalid;

use super::compose::{letter, marked};
use super::ports::{TestMail, TestMailStore, TestState};
use super::preview::{PreviewError, PreviewStores, sample};
use super::{PostOffice, TrackingLinks};
use crate::Core;
use crate::config::email_address;
use crate::ports::{CommitError, ConfigStore, Mail, MailError, Mailer, OrderStore, StoreError};

/// Most test mails of a shop in an hour.
pub const TESTS_PER_HOUR: u64 = 20;
/// How long a test mail is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// A test mail as somebody asks for it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrialInput {
    /// Where to: the shop's sender, its reply-to or test address, or one of the settings' `test_recipients`.
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 254), extend("format" = "email")))]
    pub to: String,
    /// Whose words fill it in; an invented order's unless said.
    pub order: Option<OrderId>,
}

/// A test mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// A field is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No such template.
    #[error("not found")]
    NotFound,
    /// Enough for this hour.
    #[error("a shop sends at most {TESTS_PER_HOUR} test mails an hour")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// Takes a test mail in; it leaves in a moment.
///
/// # Errors
/// It goes where none may go, there is no such template or order, there were too many, or the store failed.
pub async fn ask<S>(
    core: &Core<S>,
    shop: &ShopId,
    template: &TemplateId,
    input: &TrialInput,
) -> Result<TestMail, TrialError>
where
    S: OrderStore + ConfigStore + TestMailStore,
{
    let to = email_address("to", &input.to)?;
    let settings = core.store.settings(shop).await?.ok_or(TrialError::NotFound)?;
    let template = core.store.template(shop, template, None).await?.ok_or(TrialError::NotFound)?;
    if !settings.may_test(&to) {
        let reason = "test mails go to the shop's own addresses and to `test_recipients` of its settings";
        return Err(Invalid::new("to", reason).into());
    }
    if let Some(order) = &input.order {
        let found = core.store.order(order).await?.filter(|found| found.shop == *shop);
        found.ok_or_else(|| Invalid::new("order", "no such order"))?;
    }
    let now = core.now();
    if core.store.count_test_mail(shop, now.as_second().div_euclid(3_600)).await? > TESTS_PER_HOUR {
        return Err(TrialError::TooMany);
    }
    let mail = TestMail {
        id: TestMailId::from_body(&core.entropy.id_body())?,
        shop: shop.clone(),
        template_version: template.version,
        template: template.id,
        order: input.order.clone(),
        to,
        at: now,
        version: 1,
        state: TestState::Pending,
    };
    match core.store.put_test_mail(&mail).await {
        // Made by an earlier try of the same call.
        Ok(()) | Err(CommitError::LostRace) => Ok(mail),
        Err(CommitError::Conflict) => Err(StoreError::Throttled.into()),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// Sends a test mail, if nobody has begun to; gives it as it stands then. What went wrong on the way is told and
/// never tried again: its author is there and can.
///
/// # Errors
/// The store failed before anything was sent.
pub async fn send<S, M, L>(
    core: &Core<S>,
    mailer: &M,
    office: &PostOffice<L>,
    shop: &ShopId,
    id: &TestMailId,
) -> Result<Option<TestMail>, StoreError>
where
    S: PreviewStores + TestMailStore,
    M: Mailer,
    L: TrackingLinks,
{
    let found = core.store.test_mail(shop, id, core.now()).await?;
    let Some(asked) = found.filter(|mail| mail.state == TestState::Pending) else { return Ok(None) };
    let mail = match made(core, office, &asked).await {
        Ok(mail) => mail,
        Err(PreviewError::Store(error)) => return Err(error),
        Err(error) => return stand(core, &asked, TestState::Failed { error: told(&error) }).await,
    };
    let Some(sending) = stand(core, &asked, TestState::Sending).await? else { return Ok(None) };
    let state = match mailer.send(&mail).await {
        Ok(_) => TestState::Sent,
        Err(MailError::Failed(error)) => TestState::Failed { error: error.message },
        Err(MailError::Paused { message } | MailError::TooFast { message, .. }) => {
            TestState::Failed { error: message }
        }
    };
    // Sent or not, it is over: a doorbell that came back would find it begun.
    stand(core, &sending, state).await.or(Ok(Some(sending)))
}

fn told(error: &PreviewError) -> String {
    match error {
        PreviewError::Invalid(wrong) => wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

async fn made<S: PreviewStores, L: TrackingLinks>(
    core: &Core<S>,
    office: &PostOffice<L>,
    asked: &TestMail,
) -> Result<Mail, PreviewError> {
    let template = core.store.template(&asked.shop, &asked.template, Some(asked.template_version)).await?;
    let settings = core.store.settings(&asked.shop).await?;
    let (template, settings) = template.zip(settings).ok_or(PreviewError::NotFound)?;
    let variables = sample(core, &office.links, &settings, template.parts(), asked.order.as_ref()).await?;
    written(&template, &settings, &variables, asked)
}

fn written(
    template: &EmailTemplate,
    settings: &Settings,
    variables: &stagepost_domain::template::Variables,
    asked: &TestMail,
) -> Result<Mail, PreviewError> {
    let rendered = template.render(variables);
    let mut rendered = rendered.map_err(|e| PreviewError::Invalid(vec![Invalid::new(e.part, e.reason)]))?;
    rendered.subject = marked(&rendered.subject);
    // No run's tags: nothing that is heard of it belongs to an order.
    let tags = BTreeMap::from([("test".to_owned(), asked.id.to_string())]);
    Ok(letter(settings, asked.to.clone(), rendered, tags))
}

/// Writes where it stands; `None` if somebody else was faster.
async fn stand<S: TestMailStore>(
    core: &Core<S>,
    mail: &TestMail,
    state: TestState,
) -> Result<Option<TestMail>, StoreError> {
    let next = TestMail { version: mail.version.saturating_add(1), state, ..mail.clone() };
    match core.store.put_test_mail(&next).await {
        Ok(()) => Ok(Some(next)),
        Err(CommitError::LostRace) => Ok(None),
        Err(CommitError::Conflict) => Err(StoreError::Throttled),
        Err(CommitError::Store(error)) => Err(error),
    }
}
