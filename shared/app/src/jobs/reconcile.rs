//! What changed on a platform and nobody told us of: both platforms lose notifications, and WooCommerce never
//! sends one twice (integrations §1.4, live notes 25).

use std::collections::BTreeMap;

use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{Fact, OrderFact};
use stagepost_domain::id::{ChannelId, OrderId, ShopId};
use stagepost_domain::job::{Counted, Noted, PageDone, Progress};
use stagepost_domain::order::{Order, Placement, Platform};

use super::{PageError, Tools};
use crate::apply::{Outcome, apply};
use crate::inbound::{Arrival, Proof, Reading, Route};
use crate::platform::access;
use crate::ports::{
    ActError, ChannelAccess, ConfigStore, InboundStore, JobStore, ListedOrder, OrderPage, OrderSource,
    OrderStore, RunStore, Secrets, StoreError, TrackerService,
};
use crate::quarantine;

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore + JobStore,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
{
    /// A page of the orders that changed on the channel's platform, each applied as if it had been notified.
    /// Orders older than the channel are thereby adopted silently (law 3).
    pub(super) async fn changed_orders(
        &self,
        shop: &ShopId,
        channel: &ChannelId,
        since: Timestamp,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let there = self.core.store.channel(channel).await?.filter(|there| there.shop == *shop);
        if there.is_none() {
            return Err(PageError::Gone);
        }
        let access = access(self.core, self.secrets, Some(channel)).await??;
        let OrderPage { orders, newest, next } = self.list(&access, since, cursor).await?;
        let mut progress = Progress::default();
        for order in orders {
            progress.count(self.take(&access, order).await?);
        }
        let noted = newest.map_or(Noted::Nothing, Noted::Newest);
        Ok(PageDone { progress, next, noted })
    }

    async fn list(
        &self,
        access: &ChannelAccess,
        since: Timestamp,
        cursor: Option<&str>,
    ) -> Result<OrderPage, ActError> {
        let now = self.core.now();
        match access.channel.platform {
            Platform::Shopify => self.sources.shopify.changed(access, since, cursor, now).await,
            Platform::Woocommerce => self.sources.woocommerce.changed(access, since, cursor, now).await,
            Platform::Api => Err(ActError::permanent("the API lists no orders")),
        }
    }

    async fn take(&self, access: &ChannelAccess, order: ListedOrder) -> Result<Counted, PageError> {
        let shop = &access.channel.shop;
        match order.reading {
            Reading::NoOp(_) | Reading::UnknownTopic => Ok(Counted::Same),
            Reading::Unreadable { reason } => {
                self.put_aside(access, order.topic, order.raw, reason).await?;
                Ok(Counted::Refused)
            }
            Reading::Fact { source, fact } => {
                let id = source.order_id(shop);
                if self.known(&id, &fact).await? {
                    return Ok(Counted::Same);
                }
                match apply(self.core, shop, &id, &fact).await {
                    Ok(Outcome::Changed(_)) => Ok(Counted::Changed),
                    Ok(Outcome::NoOp(_)) => Ok(Counted::Same),
                    Ok(Outcome::Ignored(_) | Outcome::Refused(_)) => Ok(Counted::Refused),
                    // One order that the store can never take keeps no other from its turn.
                    Err(error) if error.disposition() == Disposition::Permanent => {
                        self.put_aside(access, order.topic, order.raw, error.to_string()).await?;
                        Ok(Counted::Refused)
                    }
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Whether the order's notification has been here: one read tells of most that a pass lists.
    async fn known(&self, id: &OrderId, fact: &Fact) -> Result<bool, StoreError> {
        let Fact::Order(fact) = fact else { return Ok(false) };
        let known = self.core.store.order(id).await;
        // One that cannot be read is decided on where that is told of.
        let known = known.ok().flatten().filter(|o| o.placement != Placement::Awaiting);
        Ok(known.is_some_and(|known| told(&known, fact)))
    }

    /// Into quarantine, as the notification that never came.
    async fn put_aside(
        &self,
        access: &ChannelAccess,
        topic: &str,
        body: Vec<u8>,
        reason: String,
    ) -> Result<(), PageError> {
        let channel = &access.channel;
        let Some(route) = Route::of(channel) else { return Ok(()) };
        let arrival = Arrival {
            route,
            topic: topic.to_owned(),
            headers: BTreeMap::new(),
            body,
            received_at: self.core.now(),
            proof: Proof::Checked,
        };
        quarantine::keep(self.core, self.secrets, &channel.shop, &arrival, reason).await?;
        Ok(())
    }
}

/// Whether what the fact says was told already. Shopify sends what happens within one second each with a body of its
/// own: of two the second may be lost, and then the order differs in what is plain to see. WooCommerce's notification
/// is the state when it was sent, and the older storage of orders keeps the time when metadata changes: there the last
/// word of an equal time stands (docs/adr/0005).
fn told(known: &Order, fact: &OrderFact) -> bool {
    let Some(mark) = known.mark else { return false };
    let second_lost = fact.source.platform == Platform::Shopify
        && fact.updated_at == Some(mark)
        && (known.fulfillment.coverage != fact.fulfillment.coverage || known.lifecycle != fact.lifecycle);
    fact.updated_at <= Some(mark) && !second_lost
}
