//! Sending again all that failed: counted first, then asked, then done by a job.

use askama::Template;
use axum::extract::Path;
use stagepost_app::jobs::{self, recoverable};
use stagepost_app::ports::Secrets;
use stagepost_domain::event::Action;
use stagepost_domain::id::EndpointId;
use stagepost_domain::job::Recovery;
use stagepost_domain::shop::Endpoint;
use stagepost_domain::{SignedDuration, Timestamp};

use super::{endpoint_id, path, there};
use crate::Stores;
use crate::answer::{Answer, page, to};
use crate::error::Trouble;
use crate::fields::Fields;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::visitor::{Member, Visitor};
use crate::words::counted;

/// How far back one may look: hours, and in words. Messages are kept for 30 days; an hour of that is left for
/// whoever thinks before they press the button.
const SPANS: [(i64, &str); 4] = [
    (1, "the last hour"),
    (24, "the last day"),
    (24 * 7, "the last 7 days"),
    (24 * 30 - 1, "the last 30 days"),
];

#[derive(Template)]
#[template(path = "webhooks/recover.html")]
struct RecoverPage {
    shell: Shell,
    path: String,
    endpoint: Endpoint,
    spans: Vec<(String, String)>,
    hours: String,
    failed: usize,
    count: String,
    oldest: Option<Moment>,
    since: Timestamp,
}

fn recovery(id: &EndpointId, since: Timestamp) -> Recovery {
    Recovery { since, action: Some(Action::Webhook), target: Some(id.to_string()) }
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = endpoint_id(&id)?;
    let asked = fields.text("hours").parse::<i64>().ok();
    let (hours, _) = SPANS.into_iter().find(|(hours, _)| Some(*hours) == asked).unwrap_or(SPANS[3]);
    let since = visitor.now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::UNIX_EPOCH);
    let which = recovery(&id, since);
    let (there, found) =
        tokio::join!(there(&console, &visitor, &id), recoverable(&console.core, &visitor.shop, &which));
    let ((endpoint, _), found) = (there?, found?);
    let more = if found.more { " or more" } else { "" };
    page(&RecoverPage {
        shell: visitor.shell(Area::Webhooks),
        path: path(&id),
        endpoint,
        spans: SPANS.into_iter().map(|(hours, word)| (hours.to_string(), word.to_owned())).collect(),
        hours: hours.to_string(),
        failed: found.failed,
        count: format!("{}{more}", counted(found.failed, "message", "messages")),
        oldest: found.oldest.map(|at| Moment::new(at, visitor.now)),
        since,
    })
}

pub async fn begin<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = endpoint_id(&id)?;
    let (endpoint, _) = there(&console, &visitor, &id).await?;
    if endpoint.disabled.is_some() {
        let advice = "Switch it on first: what is sent to an endpoint that is off is skipped.";
        return Err(Trouble::conflict("The endpoint is switched off", advice).into());
    }
    let since = crate::pages::id(fields.text("since").parse::<Timestamp>(), "time")?;
    let job = jobs::recover(&console.core, &visitor.shop, recovery(&id, since)).await?;
    Ok(to(&format!("{}/jobs/{}", path(&id), job.id)))
}
