//! A person's name and role.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{self, ConfigError, MemberPatch};
use stagepost_app::ports::Secrets;
use stagepost_domain::member::{Member as Person, may_give};
use stagepost_domain::text::Invalid;

use super::{is_own, member_id, named, there};
use crate::Stores;
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words;

#[derive(Template)]
#[template(path = "people/edit.html")]
struct EditPage<'a> {
    shell: Shell,
    member: &'a Person,
    name: &'a str,
    role: &'a str,
    roles: Vec<(String, String)>,
    version: u64,
    own: bool,
    /// Whether somebody else changed it meanwhile.
    theirs: bool,
    wrong: Wrong,
}

/// What the form says: name, role and the version that was seen.
type Draft<'a> = (&'a str, &'a str, u64);

fn form(visit: &Visit, member: &Person, draft: Draft<'_>, theirs: bool, wrong: Wrong) -> Answer {
    let status = wrong.status(theirs);
    let (name, role, seen) = draft;
    let shown = EditPage {
        shell: visit.shell(Area::People),
        member,
        name,
        role,
        roles: words::roles(visit.role),
        version: if theirs { member.version } else { seen },
        own: is_own(&member.id, visit),
        theirs,
        wrong,
    };
    page_as(status, &shown)
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let member = there(&console, &visitor, &member_id(&text)?).await?;
    // What would be refused is not asked.
    may_give(visitor.role, member.role).map_err(ConfigError::from)?;
    let draft = (member.name.as_str(), member.role.as_str(), member.version);
    form(&visitor, &member, draft, false, Wrong::default())
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
    fields: Fields,
) -> Answer {
    let id = member_id(&text)?;
    let member = there(&console, &visitor, &id).await?;
    let seen = fields.version().unwrap_or_default();
    let draft = (fields.text("name"), fields.text("role"), seen);
    let Some(role) = words::role(draft.1) else {
        let wrong = Invalid::new("role", "must be one of these");
        return form(&visitor, &member, draft, false, Wrong(vec![wrong]));
    };
    let patch = MemberPatch { name: Some(draft.0.to_owned()), role: Some(role) };
    let (core, shop) = (&console.core, &visitor.shop);
    match config::update_member(core, shop, visitor.role, &id, &patch, Some(seen)).await {
        Ok(_) => to_say(Area::People.path(), Flash::done("Saved. It counts from their next click on.")),
        Err(ConfigError::Invalid(wrong)) => form(&visitor, &member, draft, false, Wrong(wrong)),
        Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {
            let theirs = there(&console, &visitor, &id).await?;
            form(&visitor, &theirs, draft, true, Wrong::default())
        }
        Err(error) => Err(named(error)),
    }
}
