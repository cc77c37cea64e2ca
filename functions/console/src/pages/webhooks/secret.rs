//! An endpoint's secret: shown once, and replaced.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::rotate_endpoint_secret;
use stagepost_app::ports::Secrets;
use stagepost_domain::Timestamp;
use stagepost_domain::shop::Endpoint;

use super::{endpoint_id, path, there};
use crate::Stores;
use crate::answer::{Answer, page};
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::exactly;
use crate::ui::Confirm;
use crate::visitor::{Admin, Visit, Visitor};

/// Why a secret is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The endpoint is new.
    Made,
    /// It took the place of another.
    Rotated,
}

impl Occasion {
    fn is_made(self) -> bool {
        self == Self::Made
    }
}

/// Until when the secret before this one signs beside it, if one does.
pub fn former(endpoint: &Endpoint, now: Timestamp) -> Option<String> {
    let mut ends = endpoint.secrets.at(now).filter_map(|(_, until)| until);
    ends.next().map(exactly)
}

#[derive(Template)]
#[template(path = "webhooks/secret.html")]
struct SecretPage<'a> {
    shell: Shell,
    path: String,
    endpoint: &'a Endpoint,
    secret: &'a str,
    /// Until when the one before it signs beside it.
    former: Option<String>,
    occasion: Occasion,
}

/// The page that shows a secret, this once.
pub fn shown(visit: &Visit, endpoint: &Endpoint, secret: &str, occasion: Occasion) -> Answer {
    page(&SecretPage {
        shell: visit.shell(Area::Webhooks),
        path: path(&endpoint.id),
        endpoint,
        secret,
        former: former(endpoint, visit.now),
        occasion,
    })
}

pub async fn confirm<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let (endpoint, _) = there(&console, &visitor, &endpoint_id(&id)?).await?;
    page(&Confirm {
        shell: visitor.shell(Area::Webhooks),
        title: format!("Give \u{201c}{}\u{201d} a new secret?", endpoint.name),
        what: vec![
            "The new secret is shown once, on the next page.".to_owned(),
            "For 24 hours every message carries two signatures, one by each secret: your receiver verifies with \
             either, so nothing is refused while you change it there."
                .to_owned(),
            "After that the old secret is worth nothing.".to_owned(),
        ],
        action: format!("{}/rotate", path(&endpoint.id)),
        fields: Vec::new(),
        verb: "Make a new secret".to_owned(),
        danger: false,
        back: path(&endpoint.id),
    })
}

pub async fn rotate<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let id = endpoint_id(&id)?;
    let (endpoint, secret) =
        rotate_endpoint_secret(&console.core, &console.secrets, &visitor.shop, &id).await?;
    shown(&visitor, &endpoint, &secret, Occasion::Rotated)
}
