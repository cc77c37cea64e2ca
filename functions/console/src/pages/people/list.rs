//! Everybody who works with the shop.

use askama::Template;
use stagepost_app::config;
use stagepost_app::ports::Secrets;
use stagepost_domain::id::MemberId;
use stagepost_domain::member::Member as Person;

use super::{INVITE, is_own};
use crate::Stores;
use crate::answer::{Answer, page};
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Badge, Empty, Tone, not_set_up};
use crate::visitor::{Visit, Visitor};

#[derive(Template)]
#[template(path = "people/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    empty: Empty<'static>,
}

struct Row {
    id: MemberId,
    name: String,
    /// Where they are mailed; only those who invite see it.
    email: Option<String>,
    role: &'static str,
    invited: Moment,
    /// When they signed in last; nothing if they never came.
    came: Option<Moment>,
    never: Badge,
    /// Whether it is the visitor.
    own: bool,
    /// Whether the visitor's role lets them change it.
    below: bool,
}

pub async fn show<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor) -> Answer {
    let shell = visitor.shell(Area::People);
    let rows = if shell.configures() {
        let members = config::members(&console.core, &console.secrets, &visitor.shop).await?;
        members.into_iter().map(|shown| row(shown.member, Some(shown.email), &visitor)).collect()
    } else {
        // Nobody's address is opened for those who only work here.
        let members = config::members_unopened(&console.core, &visitor.shop).await?;
        members.into_iter().map(|member| row(member, None, &visitor)).collect()
    };
    let empty = not_set_up(
        "Nobody is invited yet",
        "Everybody who works with this shop comes under their own name, with no more rights than they need. An \
         invitation is a mail with a link to sign in by.",
    );
    let empty = if shell.configures() { empty.next(INVITE, "Invite somebody") } else { empty };
    page(&ListPage { shell, rows, empty })
}

/// `email`: the address, if it is shown and can be read.
fn row(member: Person, email: Option<Option<String>>, visit: &Visit) -> Row {
    let unreadable = || "An address that cannot be read any more".to_owned();
    Row {
        own: is_own(&member.id, visit),
        below: member.role <= visit.role,
        email: email.map(|email| email.unwrap_or_else(unreadable)),
        role: member.role.as_str(),
        invited: Moment::new(member.created_at, visit.now),
        came: member.signed_in_at.map(|at| Moment::new(at, visit.now)),
        never: Badge::new(Tone::Warn, "Invited, not yet signed in"),
        id: member.id,
        name: member.name,
    }
}
