//! The endpoints of a shop.

use askama::Template;
use stagepost_app::ports::Secrets;
use stagepost_domain::shop::Endpoint;

use super::standing::Standing;
use super::{NEW, path, uses};
use crate::Stores;
use crate::answer::{Answer, page};
use crate::names::Use;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::ui::{Empty, not_set_up};
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    empty: Empty<'static>,
}

struct Row {
    path: String,
    name: String,
    url: String,
    standing: Standing,
    events: Vec<&'static str>,
    uses: Vec<Use>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor) -> Answer {
    let (store, shop) = (&console.core.store, &visitor.shop);
    let (endpoints, healths, flows) =
        tokio::join!(store.endpoints(shop), store.healths(shop), console.flows(&visitor));
    let (endpoints, mut healths, flows) = (endpoints?, healths?, flows?);
    let row = |endpoint: Endpoint| {
        let health = healths.remove(&endpoint.id).unwrap_or_default();
        Row {
            path: path(&endpoint.id),
            standing: Standing::of(&endpoint, &health, visitor.now),
            events: endpoint.events.iter().map(|event| event.as_str()).collect(),
            uses: uses(&flows, &endpoint.id),
            url: endpoint.url.to_string(),
            name: endpoint.name,
        }
    };
    let mut rows: Vec<Row> = endpoints.into_iter().map(row).collect();
    rows.sort_by_cached_key(|row| row.name.to_lowercase());
    let shell = visitor.shell(Area::Webhooks);
    let empty = not_set_up(
        "No endpoint yet",
        "An endpoint is an address of yours that is told when an order enters a stage, or when something about it \
         changes. Each message is signed, and tried again until it is taken.",
    );
    let empty = if shell.configures() { empty.next(NEW, "Add an endpoint") } else { empty };
    page(&ListPage { shell, rows, empty })
}
