//! API keys.

use stagepost_app::config::{self, KeyInput};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::KeyId;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found, Gone, List, Made};
use crate::caller::{Admin, Caller};
use crate::payload::{Named, Payload};
use crate::view::KeyView;

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
) -> Answer<Found<List<KeyView>>> {
    Ok(List::whole(api.core.store.api_keys(caller.shop()).await?.into_iter().map(KeyView::from)))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<KeyInput>,
) -> Answer<Made<KeyView>> {
    let (key, token) = config::make_key(&api.core, caller.shop(), caller.role(), &input).await?;
    Ok(Made(KeyView::with_token(key, token)))
}

pub async fn revoke<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<KeyId>,
) -> Answer<Gone> {
    let key = config::revoke_key(&api.core, caller.shop(), caller.role(), &id).await?;
    api.keys.forget(&key.hash);
    Ok(Gone)
}
