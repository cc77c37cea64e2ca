//! What stands in quarantine.

use stagepost_app::ports::Secrets;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found, List};
use crate::caller::{Caller, Member};
use crate::view::QuarantineView;

/// Entries shown of the quarantine.
const QUARANTINE_SHOWN: usize = 100;

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
) -> Answer<Found<List<QuarantineView>>> {
    let page = api.core.store.quarantined(caller.shop(), None, QUARANTINE_SHOWN, api.core.now()).await?;
    Ok(List::whole(page.items.into_iter().map(QuarantineView::from)))
}
