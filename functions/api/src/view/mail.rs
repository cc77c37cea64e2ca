//! Mails beforehand, and addresses that get none.

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_app::mail::ports::{AskedState, SenderState, Trial};
use stagepost_app::mail::preview::{Preview, Warning};
use stagepost_app::mail::suppressions::Listed;
use stagepost_app::mail::trial::TestMail;
use stagepost_domain::Timestamp;
use stagepost_domain::id::{MailId, OrderId, SuppressionId, TemplateId};
use stagepost_domain::run::RunId;
use stagepost_domain::suppression::Because;

/// A mail as it would be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub struct PreviewView {
    /// Subject line.
    subject: String,
    /// HTML part.
    html: Option<String>,
    /// Plain part; made from the HTML where the template has none.
    text: String,
    /// What the mail shows and is empty, for this order or for others. What stands behind an `#if` of itself is
    /// left out.
    warnings: Vec<WarningView>,
    /// How many of the newest orders were looked at for that, at most 50: those in the stages that send the
    /// template, or in all if none stands there.
    looked_at: usize,
}

/// A variable that the mail shows and that is empty.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PreviewWarning")]
struct WarningView {
    /// The variable; `items.sku` for a field of a list.
    variable: String,
    /// Empty for the order of this preview.
    here: bool,
    /// For how many of the orders looked at it is empty.
    empty_in: usize,
}

impl From<Preview> for PreviewView {
    fn from(preview: Preview) -> Self {
        let Preview { rendered, warnings, looked_at } = preview;
        let told = |Warning { variable, here, empty_in }| WarningView { variable, here, empty_in };
        Self {
            subject: rendered.subject,
            html: rendered.html,
            text: rendered.text,
            warnings: warnings.into_iter().map(told).collect(),
            looked_at,
        }
    }
}

/// A mail that somebody sent to see a template.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TestMail")]
pub struct TestMailView {
    /// Its id.
    id: MailId,
    /// Which template.
    template: TemplateId,
    /// Whose words fill it in; null for an invented order's.
    order: Option<OrderId>,
    /// Where to.
    to: String,
    /// When it was asked for. A day later it is forgotten.
    at: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    state: AskedState,
}

impl From<TestMail> for TestMailView {
    fn from(mail: TestMail) -> Self {
        let TestMail { id, trial: Trial { template, order, to, .. }, at, state } = mail;
        Self { id, template, order, to, at, state }
    }
}

/// An address that the shop does not mail to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Suppression")]
pub struct SuppressionView {
    /// Its id.
    id: SuppressionId,
    /// The address; null if what sealed it is gone.
    address: Option<String>,
    /// Why.
    because: Because,
    /// Since when.
    since: Timestamp,
    /// The mail that it came of.
    run: Option<RunId>,
}

impl From<Listed> for SuppressionView {
    fn from(listed: Listed) -> Self {
        let Listed { id, address, because, since, run } = listed;
        Self { id, address, because, since, run }
    }
}

/// Whether mails can come from the shop's sender.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sender")]
pub struct SenderView {
    /// The sender.
    address: String,
    /// How the mail provider stands to it.
    state: SenderState,
    /// What to do about it; null if nothing.
    hint: Option<&'static str>,
}

impl SenderView {
    /// With what to do.
    pub fn new(address: String, state: SenderState) -> Self {
        Self { address, hint: state.hint(), state }
    }
}
