//! A test mail: asked for, and what became of it.

use askama::Template;
use axum::extract::Path;
use http::{HeaderMap, StatusCode};
use stagepost_app::mail::ports::AskedState;
use stagepost_app::mail::preview::newest;
use stagepost_app::mail::trial::{TESTS_PER_HOUR, TestMail, TrialError, TrialInput, ask as ask_for, read};
use stagepost_app::ports::Secrets;
use stagepost_domain::SignedDuration;
use stagepost_domain::id::{MailId, OrderId, TemplateId};
use stagepost_domain::template::EmailTemplate;

use super::preview::choices;
use super::{TEMPLATES, template_id};
use crate::answer::{Answer, from_script, last_of, page, page_as, to};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::Badge;
use crate::visitor::{Admin, Member, Visit, Visitor};
use crate::words;
use crate::{Console, Stores};

#[derive(Template)]
#[template(path = "notifications/test.html")]
struct TestPage<'a> {
    shell: Shell,
    id: &'a TemplateId,
    template: &'a EmailTemplate,
    /// What the mail provider is asked to send from.
    from: String,
    to: &'a str,
    addresses: Vec<(String, String)>,
    order: &'a str,
    orders: Vec<(String, String)>,
    wrong: Wrong,
}

impl From<TrialError> for Failed {
    fn from(error: TrialError) -> Self {
        match error {
            TrialError::Invalid(wrong) => Trouble::invalid(&[wrong]).into(),
            TrialError::NotFound => Trouble::not_found("template").into(),
            TrialError::TooMany => {
                let title = format!("That were {TESTS_PER_HOUR} test mails in an hour");
                let meaning = "This one was not sent. Mails to customers are not affected.";
                let status = StatusCode::TOO_MANY_REQUESTS;
                Trouble::new(status, title, meaning, "The next hour has room for as many again.").into()
            }
            TrialError::Store(error) => error.into(),
            TrialError::Asked(error) => error.into(),
        }
    }
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    form(&console, &visitor, &template_id(&id)?, &fields, Wrong::default()).await
}

async fn form<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &TemplateId,
    fields: &Fields,
    wrong: Wrong,
) -> Answer {
    let flows = console.flows(visit).await?;
    let (template, newest) = tokio::join!(
        console.core.store.template(&visit.shop, id, None),
        newest(&console.core, &visit.shop, &flows, Some(id))
    );
    let template = template?.ok_or_else(|| Trouble::not_found("template"))?;
    let chosen = OrderId::parse(fields.text("order")).ok();
    let addresses = visit.settings.test_addresses();
    let status = wrong.status(false);
    let shown = TestPage {
        shell: visit.shell(Area::Notifications),
        id,
        template: &template,
        from: format!("{} <{}>", visit.settings.sender_name(), visit.settings.from_email),
        to: fields.text("to"),
        addresses: addresses.into_iter().map(|to| (to.to_owned(), to.to_owned())).collect(),
        order: fields.text("order"),
        orders: choices(&newest?, chosen.as_ref()),
        wrong,
    };
    page_as(status, &shown)
}

pub async fn send<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = template_id(&id)?;
    let order = fields.some("order").map(|order| crate::pages::id(OrderId::parse(order), "order"));
    let input = TrialInput { to: fields.text("to").to_owned(), order: order.transpose()? };
    match ask_for(&console.core, &visitor.shop, &id, &input).await {
        Ok(mail) => Ok(to(&format!("/settings/notifications/tests/{}", mail.id))),
        Err(TrialError::Invalid(wrong)) => form(&console, &visitor, &id, &fields, Wrong(vec![wrong])).await,
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "notifications/sent.html")]
struct SentPage {
    shell: Shell,
    sent: Sent,
}

/// How long a page looks for what became of one.
const LOOKED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Where a test mail stands.
#[derive(Template)]
#[template(path = "notifications/fate.html")]
struct Sent {
    path: String,
    template: String,
    to: String,
    version: u64,
    at: Moment,
    badge: Badge,
    meaning: String,
    under_way: bool,
}

impl askama::filters::HtmlSafe for Sent {}

impl Sent {
    fn new(mail: &TestMail, visit: &Visit) -> Self {
        let lately = visit.now.duration_since(mail.at) < LOOKED_FOR;
        let meaning = match &mail.state {
            AskedState::Pending => "It leaves in a moment.".to_owned(),
            AskedState::Sending => "If it stays so, nobody knows whether it left: send another.".to_owned(),
            AskedState::Sent => {
                "The mail provider took it. Its subject begins with [Test]; look into the spam folder, too."
                    .to_owned()
            }
            AskedState::Failed { error } => {
                format!("It was not sent: {error}. Nothing is tried again; send another when that is mended.")
            }
        };
        Self {
            path: format!("/settings/notifications/tests/{}", mail.id),
            template: format!("{TEMPLATES}/{}", mail.trial.template),
            to: mail.trial.to.clone(),
            version: mail.trial.template_version,
            at: Moment::new(mail.at, visit.now),
            badge: words::test_mail_badge(&mail.state),
            meaning,
            under_way: matches!(mail.state, AskedState::Pending | AskedState::Sending) && lately,
        }
    }
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let id = crate::pages::id(MailId::parse(&id), "test mail")?;
    let found = read(&console.core, &visitor.shop, &id).await?;
    let sent = Sent::new(&found.ok_or_else(|| Trouble::not_found("test mail"))?, &visitor);
    match (from_script(&headers), sent.under_way) {
        (true, true) => page(&sent),
        (true, false) => last_of(&sent),
        (false, _) => page(&SentPage { shell: visitor.shell(Area::Notifications), sent }),
    }
}
