//! A run once more: tried again because it failed, or sent again because somebody wants it.

use axum::extract::Path;
use stagepost_app::again::again;
use stagepost_app::ports::Secrets;
use stagepost_app::run::retry;
use stagepost_domain::again::AgainRefused;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::OrderId;
use stagepost_domain::run::{Run, RunId, RunState};

use crate::answer::{Answer, page, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::Fields;
use crate::pages::id;
use crate::shell::{Area, Flash};
use crate::state::State;
use crate::ui::Confirm;
use crate::visitor::{Member, Visit, Visitor};
use crate::{Stores, words};

/// The shop's run that a path names, with the event that holds it.
async fn found<S: Stores, K>(
    console: &State<S, K>,
    visit: &Visit,
    (order, run): (String, String),
) -> Result<(RunId, Event, Run), Failed> {
    let order = id(OrderId::parse(&order), "order")?;
    let named = id(RunId::parse(&run), "run")?;
    let event = console.core.store.event(&named.order, named.seq).await?;
    let event = event.filter(|event| event.shop == visit.shop && named.order == order);
    let found = event.and_then(|event| event.runs.get(&named.key).cloned().map(|run| (event, run)));
    let (event, run) = found.ok_or_else(|| Trouble::not_found("run"))?;
    Ok((named, event, run))
}

/// The form of a page that asks first.
struct Ask {
    title: &'static str,
    what: Vec<String>,
    verb: &'static str,
    way: &'static str,
    doubt: bool,
}

fn ask(visit: &Visit, id: &RunId, ask: Ask) -> Answer {
    let place = format!("/orders/{}", id.order);
    let doubt = ask.doubt.then(|| ("accept_duplicate".to_owned(), "on".to_owned()));
    page(&Confirm {
        shell: visit.shell(Area::Orders),
        title: ask.title.to_owned(),
        what: ask.what,
        action: format!("{place}/runs/{id}/{}", ask.way),
        fields: doubt.into_iter().collect(),
        verb: ask.verb.to_owned(),
        danger: false,
        back: place,
    })
}

pub async fn ask_retry<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<(String, String)>,
) -> Answer {
    let (id, _, run) = found(&console, &visitor, named).await?;
    let doubt = matches!(run.state, RunState::Uncertain { .. });
    let mut what = vec![format!("{} is tried again now.", words::doing(&id.key.target))];
    if doubt {
        what.push("Nobody can tell whether it happened the first time: it may then happen twice.".to_owned());
    }
    let form = Ask { title: "Try it again?", what, verb: "Try it again", way: "retry", doubt };
    ask(&visitor, &id, form)
}

pub async fn retry_run<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let (id, ..) = found(&console, &visitor, named).await?;
    let flash = match retry(&console.core, &id, fields.is_on("accept_duplicate")).await? {
        None => return Err(Trouble::not_found("run").into()),
        Some(Ok(_)) => Flash::done("It is tried again now."),
        Some(Err(why)) => Flash::note(words::not_retried(&why)),
    };
    to_say(&format!("/orders/{}", id.order), flash)
}

pub async fn ask_again<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<(String, String)>,
) -> Answer {
    let (id, event, _) = found(&console, &visitor, named).await?;
    let (title, told) = match id.key.action() {
        Action::Email => ("Send the mail again?", "The customer gets another mail, as the template is now."),
        Action::Webhook => (
            "Send the webhook again?",
            "The endpoint gets the same message with the same webhook-id, so that it can drop what it has.",
        ),
        Action::Fulfill | Action::RegisterTracker => {
            let advice = words::not_again(AgainRefused::FulfilledOnce);
            return Err(Trouble::conflict("This is not sent again", advice).into());
        }
    };
    let mut what = vec![told.to_owned()];
    let same = event.runs.iter().filter(|(key, _)| key.target == id.key.target);
    let doubt = same.into_iter().any(|(_, run)| matches!(run.state, RunState::Uncertain { .. }));
    if doubt && id.key.action() == Action::Email {
        what.push("The mail before may have gone out: the customer may get it twice.".to_owned());
    }
    ask(&visitor, &id, Ask { title, what, verb: "Send again", way: "again", doubt })
}

pub async fn send_again<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let (id, ..) = found(&console, &visitor, named).await?;
    let by = visitor.actor.clone();
    let flash = match again(&console.core, &id, by, fields.is_on("accept_duplicate")).await? {
        Ok(_) => Flash::done("It is sent again now."),
        Err(AgainRefused::Unknown) => return Err(Trouble::not_found("run").into()),
        Err(why) => Flash::note(words::not_again(why)),
    };
    to_say(&format!("/orders/{}", id.order), flash)
}
