//! The templates of a shop, and what becomes of its mails.

use askama::Template;
use stagepost_app::ports::Secrets;
use stagepost_domain::template::EmailTemplate;
use stagepost_domain::template::starters::{self, Starter};

use super::TEMPLATES;
use crate::Stores;
use crate::answer::{Answer, page};
use crate::names::Use;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::Badge;
use crate::visitor::Visitor;
use crate::words;

#[derive(Template)]
#[template(path = "notifications/list.html")]
struct ListPage {
    shell: Shell,
    tab: &'static str,
    rows: Vec<Row>,
    starters: Vec<Starter>,
    mode: Badge,
    mode_text: String,
    sender: String,
    /// Since when the governor has stopped the shop's mails, and why.
    stopped: Option<(Moment, String)>,
}

struct Row {
    name: String,
    path: String,
    subject: String,
    uses: Vec<Use>,
    version: u64,
    saved: Moment,
}

pub async fn show<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor) -> Answer {
    let store = &console.core.store;
    let (templates, flows, governor) =
        tokio::join!(store.templates(&visitor.shop), console.flows(&visitor), store.governor(&visitor.shop));
    let (templates, flows, governor) = (templates?, flows?, governor?);
    let mut rows: Vec<Row> = templates
        .into_iter()
        .map(|template| {
            let EmailTemplate { id, name, subject, version, saved_at, .. } = template;
            let (uses, saved) = (super::uses(&flows, &id), Moment::new(saved_at, visitor.now));
            Row { name, path: format!("{TEMPLATES}/{id}"), subject, uses, version, saved }
        })
        .collect();
    rows.sort_by_cached_key(|row| row.name.to_lowercase());
    let settings = &visitor.settings;
    page(&ListPage {
        shell: visitor.shell(Area::Notifications),
        tab: "templates",
        rows,
        starters: starters::all(),
        mode: words::mail_mode_badge(&settings.mail.mode),
        mode_text: words::mail_mode(&settings.mail.mode),
        sender: format!("{} <{}>", settings.sender_name(), settings.from_email),
        stopped: governor.paused.map(|p| (Moment::new(p.at, visitor.now), words::stopped(&p))),
    })
}
