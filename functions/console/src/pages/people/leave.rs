//! A person is signed out everywhere, or does not work with the shop any more.

use axum::extract::Path;
use stagepost_app::config::{self, ConfigError};
use stagepost_app::ports::Secrets;
use stagepost_domain::member::{People, may_give};

use super::{is_own, member_id, named, not_found, there};
use crate::Stores;
use crate::answer::{Answer, page, to, to_say};
use crate::fields::Fields;
use crate::shell::{Area, Flash};
use crate::state::State;
use crate::ui::Confirm;
use crate::visitor::{Admin, Visitor};

pub async fn ask_sign_out<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(text): Path<String>,
) -> Answer {
    let id = member_id(&text)?;
    let (member, own) = (there(&console, &visitor, &id).await?, is_own(&id, &visitor));
    if !own {
        may_give(visitor.role, member.role).map_err(ConfigError::from)?;
    }
    let also = "This is you: you are signed out here, too.".to_owned();
    let told = [
        "Every browser that is signed in as this person is signed out with its next click.".to_owned(),
        "Links to sign in by that were mailed before do not work any more.".to_owned(),
        "A new link can be asked for on the sign-in page at any time.".to_owned(),
    ];
    page(&Confirm {
        shell: visitor.shell(Area::People),
        title: format!("Sign {} out everywhere?", member.name),
        what: own.then_some(also).into_iter().chain(told).collect(),
        action: format!("/settings/people/{id}/sign-out"),
        fields: Vec::new(),
        verb: "Sign out everywhere".to_owned(),
        danger: true,
        back: Area::People.path().to_owned(),
    })
}

/// Everybody may sign themselves out; of others the use case asks for the role.
pub async fn sign_out<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(text): Path<String>,
) -> Answer {
    let id = member_id(&text)?;
    let own = is_own(&id, &visitor);
    let done = config::sign_out_member(&console.core, &visitor.shop, visitor.role, &id, own).await;
    let member = done.map_err(named)?;
    if own {
        return Ok(to("/sign-in"));
    }
    to_say(Area::People.path(), Flash::done(format!("{} is signed out everywhere.", member.name)))
}

pub async fn ask_remove<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let (id, store) = (member_id(&text)?, &console.core.store);
    let (members, keys) = tokio::join!(store.members(&visitor.shop), store.api_keys(&visitor.shop));
    let (members, keys) = (members?, keys?);
    let member = members.iter().find(|member| member.id == id).ok_or_else(not_found)?;
    // What would be refused is not asked.
    let people = People { members: &members, keys: &keys };
    people.may_change(visitor.role, member, None).map_err(ConfigError::from)?;
    let own = is_own(&id, &visitor).then(|| "This is you: you do not get in here any more.".to_owned());
    let told = [
        "They are signed out with their next click, and links that were mailed to them do not work."
            .to_owned(),
        "What they did stays done, and orders keep naming them.".to_owned(),
        "API keys that they know still work: revoke those, too.".to_owned(),
    ];
    page(&Confirm {
        shell: visitor.shell(Area::People),
        title: format!("Remove {}?", member.name),
        what: own.into_iter().chain(told).collect(),
        action: format!("/settings/people/{id}/remove"),
        fields: vec![("version".to_owned(), member.version.to_string())],
        verb: "Remove person".to_owned(),
        danger: true,
        back: Area::People.path().to_owned(),
    })
}

pub async fn remove<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
    fields: Fields,
) -> Answer {
    let (id, seen) = (member_id(&text)?, fields.version());
    let removed = config::remove_member(&console.core, &visitor.shop, visitor.role, &id, seen).await;
    removed.map_err(named)?;
    if is_own(&id, &visitor) {
        return Ok(to("/sign-in"));
    }
    to_say(Area::People.path(), Flash::done("They do not work with this shop any more."))
}
