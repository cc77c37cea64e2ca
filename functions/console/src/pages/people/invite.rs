//! Somebody is invited by a mail, and once more if it got lost.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{self, ConfigError, MemberError, MemberInput};
use stagepost_app::ports::Secrets;
use stagepost_domain::text::Invalid;

use super::member_id;
use crate::Stores;
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words;

#[derive(Template)]
#[template(path = "people/invite.html")]
struct InvitePage<'a> {
    shell: Shell,
    email: &'a str,
    name: &'a str,
    role: &'a str,
    roles: Vec<(String, String)>,
    wrong: Wrong,
}

fn form(visit: &Visit, fields: &Fields, wrong: Wrong) -> Answer {
    let status = wrong.status(false);
    let shown = InvitePage {
        shell: visit.shell(Area::People),
        email: fields.text("email"),
        name: fields.text("name"),
        role: fields.some("role").unwrap_or("member"),
        roles: words::roles(visit.role),
        wrong,
    };
    page_as(status, &shown)
}

pub async fn begin(visitor: Visitor<Admin>) -> Answer {
    form(&visitor, &Fields::default(), Wrong::default())
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let Some(role) = words::role(fields.text("role")) else {
        return form(&visitor, &fields, Wrong(vec![Invalid::new("role", "must be one of these")]));
    };
    let (email, name) = (fields.text("email").to_owned(), fields.text("name").to_owned());
    let (core, secrets, key) = (&console.core, &console.secrets, &console.keys.search);
    let by = (visitor.role, visitor.actor.clone());
    let input = MemberInput { email, name, role };
    match config::invite(core, secrets, key, &visitor.shop, by, &input).await {
        Ok(made) => {
            let text = format!("{} is invited: a mail with a link to sign in by leaves now.", made.name);
            to_say(Area::People.path(), Flash::done(text))
        }
        Err(MemberError::Config(ConfigError::Invalid(wrong))) => form(&visitor, &fields, Wrong(wrong)),
        Err(error) => Err(error.into()),
    }
}

pub async fn again<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let id = member_id(&text)?;
    let member = config::invite_again(&console.core, &visitor.shop, visitor.role, &id).await?;
    let text = format!("{} is mailed the invitation again. Links of before still work.", member.name);
    to_say(Area::People.path(), Flash::done(text))
}
