//! All that failed, tried again: counted first, then asked, then done by a job.

use askama::Template;
use stagepost_app::jobs::{recover, recoverable};
use stagepost_app::ports::Secrets;
use stagepost_domain::event::Action;
use stagepost_domain::job::Recovery;
use stagepost_domain::{SignedDuration, Timestamp};

use super::{JOBS, RETRY_ALL};
use crate::Stores;
use crate::answer::{Answer, page, to};
use crate::fields::Fields;
use crate::pages::id;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::visitor::{Member, Visitor};
use crate::words::{self, counted};

/// How far back one may look: hours, and in words. A recovery goes back 30 days; an hour of that is left for whoever
/// thinks before they press the button.
const SPANS: [(i64, &str); 4] = [
    (1, "the last hour"),
    (24, "the last day"),
    (24 * 7, "the last 7 days"),
    (24 * 30 - 1, "the last 30 days"),
];

#[derive(Template)]
#[template(path = "activity/again.html")]
struct AgainPage {
    shell: Shell,
    spans: Vec<(String, String)>,
    hours: String,
    kinds: Vec<(String, String)>,
    kind: &'static str,
    failed: usize,
    count: String,
    oldest: Option<Moment>,
    since: Timestamp,
    mails: bool,
}

/// The kind that a form names; all of them where it names none.
fn action(fields: &Fields) -> Option<Action> {
    Action::ALL.into_iter().find(|action| action.as_str() == fields.text("action"))
}

fn kinds() -> Vec<(String, String)> {
    let all = (String::new(), "Everything".to_owned());
    let one = |action: Action| (action.as_str().to_owned(), words::kind(action).to_owned());
    std::iter::once(all).chain(Action::ALL.into_iter().map(one)).collect()
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let asked = fields.text("hours").parse::<i64>().ok();
    let (hours, _) = SPANS.into_iter().find(|(hours, _)| Some(*hours) == asked).unwrap_or(SPANS[3]);
    let since = visitor.now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::UNIX_EPOCH);
    let action = action(&fields);
    let which = Recovery { since, action, target: None };
    let found = recoverable(&console.core, &visitor.shop, &which).await?;
    let more = if found.more { " or more" } else { "" };
    page(&AgainPage {
        shell: visitor.shell(Area::Activity),
        spans: SPANS.into_iter().map(|(hours, word)| (hours.to_string(), word.to_owned())).collect(),
        hours: hours.to_string(),
        kinds: kinds(),
        kind: action.map_or("", Action::as_str),
        failed: found.failed,
        count: format!("{}{more}", counted(found.failed, "failed action", "failed actions")),
        oldest: found.oldest.map(|at| Moment::new(at, visitor.now)),
        since,
        mails: action.is_none_or(|action| action == Action::Email),
    })
}

pub async fn begin<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let since = id(fields.text("since").parse::<Timestamp>(), "time")?;
    // A kind that is not known is not taken for all of them.
    let action = action(&fields);
    if action.is_none() && fields.some("action").is_some() {
        return Ok(to(RETRY_ALL));
    }
    let job = recover(&console.core, &visitor.shop, Recovery { since, action, target: None }).await?;
    Ok(to(&format!("{JOBS}/{}", job.id)))
}
