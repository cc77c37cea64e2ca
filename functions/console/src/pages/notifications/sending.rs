//! How mails leave: from whom, whether they do, and how long they wait.

use askama::Template;
use stagepost_app::config::{ConfigError, RetentionInput, SettingsInput};
use stagepost_app::jobs::save_settings;
use stagepost_app::ports::Secrets;
use stagepost_domain::id::body_hash;
use stagepost_domain::shop::{MailMode, Settings};
use stagepost_domain::text::Invalid;

use super::SENDING;
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::ui::Badge;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words;
use crate::{Console, Stores};

/// What the form says.
struct Draft {
    from_email: String,
    from_name: String,
    reply_to: String,
    mode: String,
    test_to: String,
    test_recipients: String,
    grace_seconds: String,
    notify_email: String,
    attempts_days: String,
    quarantine_days: String,
    orders_days: String,
}

impl Draft {
    fn of(fields: &Fields) -> Self {
        let text = |name: &str| fields.text(name).to_owned();
        Self {
            from_email: text("from_email"),
            from_name: text("from_name"),
            reply_to: text("reply_to"),
            mode: text("mode"),
            test_to: text("mail_mode.to"),
            test_recipients: text("test_recipients"),
            grace_seconds: text("grace_seconds"),
            notify_email: text("notify_email"),
            attempts_days: text("retention.attempts_days"),
            quarantine_days: text("retention.quarantine_days"),
            orders_days: text("retention.orders_days"),
        }
    }

    fn of_settings(settings: &Settings) -> Self {
        let mail = &settings.mail;
        let (mode, test_to) = match &mail.mode {
            MailMode::Live => ("live", String::new()),
            MailMode::Test { to } => ("test", to.clone()),
            MailMode::DryRun => ("dry_run", String::new()),
            MailMode::Paused => ("paused", String::new()),
        };
        Self {
            from_email: settings.from_email.clone(),
            from_name: mail.from_name.clone().unwrap_or_default(),
            reply_to: mail.reply_to.clone().unwrap_or_default(),
            mode: mode.to_owned(),
            test_to,
            test_recipients: mail.test_recipients.join("\n"),
            grace_seconds: settings.grace_seconds.to_string(),
            notify_email: settings.notify_email.clone().unwrap_or_default(),
            attempts_days: settings.retention.attempts_days.to_string(),
            quarantine_days: settings.retention.quarantine_days.to_string(),
            orders_days: settings.retention.orders_days.map(|days| days.to_string()).unwrap_or_default(),
        }
    }

    fn input(&self) -> Result<SettingsInput, Invalid> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let grace = self.grace_seconds.parse();
        let grace = grace.map_err(|_| Invalid::new("grace_seconds", "must be a number of seconds"))?;
        let lines = self.test_recipients.split(['\n', ',']).map(str::trim);
        Ok(SettingsInput {
            from_email: Some(self.from_email.clone()),
            from_name: Some(some(&self.from_name)),
            reply_to: Some(some(&self.reply_to)),
            mail_mode: Some(self.mail_mode()?),
            test_recipients: Some(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()),
            grace_seconds: Some(grace),
            notify_email: Some(self.notify_email.clone()),
            retention: Some(self.retention()?),
            ..SettingsInput::default()
        })
    }

    fn retention(&self) -> Result<RetentionInput, Invalid> {
        let days = |field: &str, text: &str| {
            text.parse::<u16>().map_err(|_| Invalid::new(field, "must be a number of days"))
        };
        let some = |field: &str, text: &String| {
            Some(text).filter(|text| !text.is_empty()).map(|text| days(field, text)).transpose()
        };
        Ok(RetentionInput {
            attempts_days: some("retention.attempts_days", &self.attempts_days)?,
            quarantine_days: some("retention.quarantine_days", &self.quarantine_days)?,
            orders_days: Some(some("retention.orders_days", &self.orders_days)?),
        })
    }

    fn mail_mode(&self) -> Result<MailMode, Invalid> {
        match self.mode.as_str() {
            "live" => Ok(MailMode::Live),
            "test" => Ok(MailMode::Test { to: self.test_to.clone() }),
            "dry_run" => Ok(MailMode::DryRun),
            "paused" => Ok(MailMode::Paused),
            _ => Err(Invalid::new("mode", "must be chosen")),
        }
    }

    fn is(&self, mode: &str) -> bool {
        self.mode == mode
    }
}

/// What of the settings this form is about: an edit of anything else does not matter to it.
fn seen(settings: &Settings) -> String {
    let people = (&settings.from_email, &settings.notify_email);
    let about = (people, &settings.mail, settings.grace_seconds, &settings.retention);
    body_hash(&serde_json::to_vec(&about).unwrap_or_default())
}

#[derive(Template)]
#[template(path = "notifications/sending.html")]
struct SendingPage {
    shell: Shell,
    tab: &'static str,
    draft: Draft,
    /// What is known of the sender, and what to do about it.
    sender: Badge,
    hint: &'static str,
    seen: String,
    /// Somebody else has changed these settings since.
    theirs: bool,
    wrong: Wrong,
}

async fn form<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    draft: Draft,
    theirs: bool,
    wrong: Wrong,
) -> Answer {
    let (sender, hint) = match console.senders.state(&visit.settings.from_email).await {
        Ok(state) => (words::sender_badge(state), state.hint().unwrap_or_default()),
        Err(error) => {
            tracing::warn!(%error, "sender");
            (
                Badge::new(crate::ui::Tone::Plain, "Not known now"),
                "The mail provider could not be asked just now.",
            )
        }
    };
    let status = wrong.status(theirs);
    let shown = SendingPage {
        shell: visit.shell(Area::Notifications),
        tab: "sending",
        draft,
        sender,
        hint,
        seen: seen(&visit.settings),
        theirs,
        wrong,
    };
    page_as(status, &shown)
}

pub async fn show<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor) -> Answer {
    let draft = Draft::of_settings(&visitor.settings);
    form(&console, &visitor, draft, false, Wrong::default()).await
}

pub async fn save<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let draft = Draft::of(&fields);
    if fields.text("seen") != seen(&visitor.settings) {
        return form(&console, &visitor, draft, true, Wrong::default()).await;
    }
    let input = match draft.input() {
        Ok(input) => input,
        Err(wrong) => return form(&console, &visitor, draft, false, Wrong(vec![wrong])).await,
    };
    let expected = Some(visitor.settings.config_version);
    match save_settings(&console.core, &visitor.shop, &input, expected).await {
        Ok(settings) => {
            let text = format!("Saved. {}", words::mail_mode(&settings.mail.mode));
            to_say(SENDING, Flash::done(text))
        }
        Err(ConfigError::Invalid(wrong)) => form(&console, &visitor, draft, false, at_lines(wrong)).await,
        Err(error) => Err(error.into()),
    }
}

/// Recipients are lines of one field: the reason says which line.
fn at_lines(wrong: Vec<Invalid>) -> Wrong {
    let at_line = |one: Invalid| {
        let line = one.field.strip_prefix("test_recipients[").and_then(|rest| rest.strip_suffix(']'));
        match line.and_then(|line| line.parse::<usize>().ok()) {
            Some(n) => Invalid::new("test_recipients", format!("line {}: {}", n + 1, one.reason)),
            None => one,
        }
    };
    Wrong(wrong.into_iter().map(at_line).collect())
}
