//! Addresses that get no mail, why and since when.

use askama::Template;
use axum::extract::Path;
use stagepost_app::mail::suppressions::{self, Listed, SuppressionError};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::SuppressionId;
use stagepost_domain::suppression::Because;

use super::SUPPRESSED;
use crate::answer::{Answer, page, page_as, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Badge, Confirm, Tone};
use crate::visitor::{Admin, Member, Visit, Visitor};
use crate::words;
use crate::{Console, Stores};

/// Addresses of one page.
const PAGE: usize = 50;

struct Row {
    id: SuppressionId,
    address: String,
    why: Badge,
    reason: &'static str,
    since: Moment,
    order: Option<String>,
}

#[derive(Template)]
#[template(path = "notifications/suppressed.html")]
struct SuppressedPage<'a> {
    shell: Shell,
    tab: &'static str,
    rows: Vec<Row>,
    address: &'a str,
    first: Option<String>,
    next: Option<String>,
    wrong: Wrong,
}

impl From<SuppressionError> for Failed {
    fn from(error: SuppressionError) -> Self {
        match error {
            SuppressionError::Invalid(wrong) => Trouble::invalid(&[wrong]).into(),
            SuppressionError::Store(error) => error.into(),
            SuppressionError::Secret(error) => stagepost_app::config::ConfigError::Secret(error).into(),
            SuppressionError::Id(error) => {
                tracing::error!(%error, "suppression");
                Trouble::broken().into()
            }
        }
    }
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    shown(&console, &visitor, &fields, Wrong::default()).await
}

async fn shown<S: Stores, K: Secrets>(
    console: &Console<S, K>,
    visit: &Visit,
    fields: &Fields,
    wrong: Wrong,
) -> Answer {
    let cursor = fields.some("cursor");
    let listed = suppressions::list(&console.core, &console.secrets, &visit.shop, cursor, PAGE).await?;
    let status = wrong.status(false);
    let shown = SuppressedPage {
        shell: visit.shell(Area::Notifications),
        tab: "suppressed",
        rows: listed.items.into_iter().map(|one| row(one, visit)).collect(),
        address: fields.text("address"),
        first: cursor.map(|_| SUPPRESSED.to_owned()),
        next: listed.next.map(|cursor| format!("{SUPPRESSED}?cursor={cursor}")),
        wrong,
    };
    page_as(status, &shown)
}

fn row(listed: Listed, visit: &Visit) -> Row {
    let Listed { id, address, because, since, run } = listed;
    let why = match because {
        Because::HardBounce => Badge::new(Tone::Bad, "Bounced"),
        Because::Complaint => Badge::new(Tone::Bad, "Called spam"),
        Because::ByHand => Badge::new(Tone::Plain, "By hand"),
    };
    Row {
        id,
        address: address.unwrap_or_else(|| "An address that cannot be read any more".to_owned()),
        why,
        reason: words::suppressed(because),
        since: Moment::new(since, visit.now),
        order: run.map(|run| format!("/orders/{}", run.order)),
    }
}

pub async fn add<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let (address, key) = (fields.text("address"), &console.keys.search);
    let (core, shop) = (&console.core, &visitor.shop);
    let kept = suppressions::suppress(core, &console.secrets, key, shop, address, Because::ByHand, None);
    match kept.await {
        Ok(kept) => {
            let text = format!("{} gets no mail any more.", kept.address.unwrap_or_default());
            to_say(SUPPRESSED, Flash::done(text))
        }
        Err(SuppressionError::Invalid(wrong)) => shown(&console, &visitor, &fields, Wrong(vec![wrong])).await,
        Err(error) => Err(error.into()),
    }
}

async fn there<S: Stores, K: Secrets>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &str,
) -> Result<Listed, Failed> {
    let id = crate::pages::id(SuppressionId::parse(id), "suppressed address")?;
    let found = suppressions::read(&console.core, &console.secrets, &visit.shop, &id).await?;
    Ok(found.ok_or_else(|| Trouble::not_found("suppressed address"))?)
}

pub async fn confirm<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let Listed { id, address, because, since, .. } = there(&console, &visitor, &id).await?;
    let warning = match because {
        Because::HardBounce => {
            "If the address still does not exist, the next mail comes back, too. Many such mails harm your sender."
        }
        Because::Complaint => {
            "Its owner called a mail of yours spam. Mail it again only if they asked you to."
        }
        Because::ByHand => "Somebody of your shop put it here.",
    };
    page(&Confirm {
        shell: visitor.shell(Area::Notifications),
        title: format!("Mail {} again?", address.as_deref().unwrap_or("this address")),
        what: vec![
            format!(
                "It has had no mail since {}: {}.",
                crate::time::exactly(since),
                words::suppressed(because)
            ),
            warning.to_owned(),
            "What was not sent meanwhile stays unsent.".to_owned(),
        ],
        action: format!("{SUPPRESSED}/{id}/remove"),
        fields: Vec::new(),
        verb: "Mail it again".to_owned(),
        danger: because == Because::Complaint,
        back: SUPPRESSED.to_owned(),
    })
}

pub async fn remove<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let listed = there(&console, &visitor, &id).await?;
    console.core.store.unsuppress(&visitor.shop, &listed.id).await?;
    to_say(SUPPRESSED, Flash::done("The address is mailed again from now on."))
}
