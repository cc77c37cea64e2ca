//! People who work with the shop.

use stagepost_app::config::{self, MemberInput, MemberPatch, MemberShown};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::MemberId;
use stagepost_domain::member::Member as Person;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Accepted, Answer, Current, Found, Gone, Limited, List, MadeCurrent};
use crate::caller::{Admin, Caller};
use crate::failed::Failed;
use crate::payload::{IfMatch, Named, Payload};
use crate::view::MemberView;

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
) -> Answer<Found<List<MemberView>>> {
    let members = config::members(&api.core, &api.secrets, caller.shop()).await?;
    Ok(List::whole(members.into_iter().map(MemberView::from)))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<MemberId>,
) -> Answer<Current<MemberView>> {
    let member = api.core.store.member(caller.shop(), &id).await?;
    Ok(Current(shown(&api, member.ok_or_else(|| Problem::not_found("member"))?).await?))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<MemberInput>,
) -> Answer<Limited<MadeCurrent<MemberView>>> {
    let by = (caller.role(), caller.actor());
    let made = config::invite(&api.core, &api.secrets, &api.search, caller.shop(), by, &input).await?;
    Ok(Limited(MadeCurrent(shown(&api, made).await?)))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<MemberId>,
    IfMatch(expected): IfMatch,
    Payload(patch): Payload<MemberPatch>,
) -> Answer<Current<MemberView>> {
    let (shop, by) = (caller.shop(), caller.role());
    let member = config::update_member(&api.core, shop, by, &id, &patch, expected).await?;
    Ok(Current(shown(&api, member).await?))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<MemberId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove_member(&api.core, caller.shop(), caller.role(), &id, expected).await?;
    Ok(Gone)
}

pub async fn invite<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<MemberId>,
) -> Answer<Limited<Accepted<MemberView>>> {
    let member = config::invite_again(&api.core, caller.shop(), caller.role(), &id).await?;
    Ok(Limited(Accepted(shown(&api, member).await?)))
}

pub async fn sign_out<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<MemberId>,
) -> Answer<Current<MemberView>> {
    let member = config::sign_out_member(&api.core, caller.shop(), caller.role(), &id, false).await?;
    Ok(Current(shown(&api, member).await?))
}

async fn shown<S: Stores, K: Secrets + 'static>(
    api: &State<S, K>,
    member: Person,
) -> Result<MemberView, Failed> {
    let shown = MemberShown::of(&api.secrets, member).await.map_err(config::ConfigError::from)?;
    Ok(shown.into())
}
