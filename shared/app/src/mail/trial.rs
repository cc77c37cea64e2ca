//! Test mails: a template sent to its author, as a [mail that was asked for](super::asked).
//!
//! A test goes to the shop's own addresses and to those that its settings name, never to any other: whoever has
//! an admin's key must not be able to mail strangers in the shop's name.

use std::collections::BTreeMap;

use serde::Deserialize;
use stagepost_domain::Timestamp;
use stagepost_domain::id::{MailId, OrderId, ShopId, TemplateId};
use stagepost_domain::text::{Invalid, email_address};

use super::asked::{AskedError, post, too_many};
use super::compose::{letter, marked};
use super::ports::{Asked, AskedMail, AskedMailStore, AskedState, Asker, Hourly, Trial};
use super::preview::{PreviewError, PreviewStores, sample};
use super::{PostOffice, TrackingLinks};
use crate::Core;
use crate::ports::{ConfigStore, Mail, OrderStore, StoreError};

/// Most test mails of a shop in an hour.
pub const TESTS_PER_HOUR: u64 = 20;

/// A test mail as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestMail {
    /// Its id.
    pub id: MailId,
    /// Which template, and where to.
    pub trial: Trial,
    /// When it was asked for.
    pub at: Timestamp,
    /// Where it stands.
    pub state: AskedState,
}

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
    /// It could not be stored.
    #[error(transparent)]
    Asked(#[from] AskedError),
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
    S: OrderStore + ConfigStore + AskedMailStore,
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
    if too_many(core, Hourly::Trials(shop), TESTS_PER_HOUR).await? {
        return Err(TrialError::TooMany);
    }
    let trial = Trial {
        shop: shop.clone(),
        template_version: template.version,
        template: template.id,
        order: input.order.clone(),
        to,
    };
    let AskedMail { id, at, state, .. } = post(core, Asked::Trial(trial.clone())).await?;
    Ok(TestMail { id, trial, at, state })
}

/// A test mail as it stands; none of the other mails that the shop asked for.
///
/// # Errors
/// The store failed.
pub async fn read<S: AskedMailStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &MailId,
) -> Result<Option<TestMail>, StoreError> {
    let found = core.store.asked_mail(&Asker::Shop(shop.clone()), id, core.now()).await?;
    Ok(found.and_then(|AskedMail { id, asked, at, state, .. }| match asked {
        Asked::Trial(trial) => Some(TestMail { id, trial, at, state }),
        Asked::SignIn { .. } | Asked::Invitation { .. } => None,
    }))
}

/// Why a template makes no mail, in words.
pub(super) fn told(error: &PreviewError) -> String {
    match error {
        PreviewError::Invalid(wrong) => wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

/// The mail that a template makes.
pub(super) async fn written<S: PreviewStores, L: TrackingLinks>(
    core: &Core<S>,
    office: &PostOffice<L>,
    id: &MailId,
    asked: &Trial,
) -> Result<Mail, PreviewError> {
    let template = core.store.template(&asked.shop, &asked.template, Some(asked.template_version)).await?;
    let settings = core.store.settings(&asked.shop).await?;
    let (template, settings) = template.zip(settings).ok_or(PreviewError::NotFound)?;
    let variables = sample(core, &office.links, &settings, template.parts(), asked.order.as_ref()).await?;
    let rendered = template.render(&variables);
    let mut rendered = rendered.map_err(|e| PreviewError::Invalid(vec![Invalid::new(e.part, e.reason)]))?;
    rendered.subject = marked(&rendered.subject);
    // No run's tags: nothing that is heard of it belongs to an order.
    let tags = BTreeMap::from([("test".to_owned(), id.to_string())]);
    Ok(letter(&settings, asked.to.clone(), rendered, tags))
}
