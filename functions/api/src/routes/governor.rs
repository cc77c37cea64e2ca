//! The governor: whether the shop's mails are stopped.

use stagepost_app::governor::release;
use stagepost_app::ports::Secrets;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found};
use crate::caller::{Admin, Caller};
use crate::view::GovernorView;

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<GovernorView>> {
    Ok(Found(api.core.store.governor(caller.shop()).await?.into()))
}

pub async fn resume<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
) -> Answer<Found<GovernorView>> {
    Ok(Found(release(&api.core, caller.shop()).await?.into()))
}
