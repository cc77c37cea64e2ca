//! Decides what waited in the inbound queue: notifications that came while the store was away, and those that
//! somebody hands back from quarantine. They go through the very functions that they came to first.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use serde_json::Value;
use stagepost_app::Core;
use stagepost_app::contact::ContactStore;
use stagepost_app::inbound::{Arrival, Proof, Route, UnpackError};
use stagepost_app::ports::{ConfigStore, DeadLetters, InboundStore, OrderStore, Secrets};
use stagepost_app::quarantine;
use stagepost_carrier_webhook::Carriers;
use stagepost_lambda::inbound::{Inbound, NotTaken, Taken, figures_of, is_quarantined};
use stagepost_lambda::metrics::Figures;
use stagepost_lambda::runner::{bury, unread};
use stagepost_lambda::sqs::{ComesBack, answer};
use stagepost_sqs::decode_inbound;

/// How long the function may live.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Receives of one message before it goes to the dead letters. It comes back after a visibility timeout, which
/// is six times [`TIMEOUT`]: so it waits out two days of a store that is away. That must end before its queue's
/// four days do, because what a queue forgets does not go to the dead letters.
pub const RECEIVES_MAX: u32 = 500;
/// Messages worked on at once: each may hold a notification of megabytes.
const CONCURRENCY: usize = 4;

/// What the runner needs.
pub struct InboundRunner<S, K, D> {
    /// Takes order notifications.
    pub orders: Inbound<S, K>,
    /// Takes carriers' reports.
    pub carriers: Carriers<S, K>,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

impl<S, K, D> InboundRunner<S, K, D>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore + Clone,
    K: Secrets + Clone,
{
    /// A runner over these ports.
    pub fn new(core: &Core<S>, secrets: &K, dead: Arc<D>) -> Self {
        let orders = Inbound::new(core.clone(), secrets.clone());
        Self { orders, carriers: Carriers::new(core.clone(), secrets.clone()), dead }
    }
}

/// Answers one batch. What cannot be decided comes back, and so does a message that a later release wrote; one
/// that nobody wrote goes to the dead letters.
pub async fn handle<S, K, D>(runner: &Arc<InboundRunner<S, K, D>>, event: SqsEvent) -> SqsBatchResponse
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore + 'static,
    K: Secrets + 'static,
    D: DeadLetters + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let runner = Arc::clone(runner);
        async move { runner.one(&body).await }
    })
    .await
}

impl<S, K, D> InboundRunner<S, K, D>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
    D: DeadLetters,
{
    async fn one(&self, body: &str) -> Result<Figures, ComesBack> {
        let packed = match decode_inbound(body) {
            Ok(packed) => packed,
            Err(why) => return unread(&*self.dead, body, &why).await.map(Figures::from),
        };
        let arrival = match Arrival::unpack(self.orders.secrets(), &packed).await {
            Ok(arrival) => arrival,
            Err(UnpackError::NotAnArrival) => return self.bury(body).await,
            // The key service may be away; a message under another key ends with the dead letters, too.
            Err(error @ UnpackError::Secret(_)) => return Err(comes_back(&error)),
        };
        match self.take(&arrival).await {
            Ok(outcome) => self.taken(&arrival, &outcome).await,
            Err(NotTaken::Refused(status)) => {
                // Nobody is there any more to be told: the sender had its 2xx.
                tracing::error!(?arrival, %status, "dropped: what waited is not authentic");
                Ok(Figures::default())
            }
            Err(NotTaken::Later { why, .. }) => Err(comes_back(&why)),
        }
    }

    async fn bury(&self, body: &str) -> Result<Figures, ComesBack> {
        bury(&*self.dead, body).await.map(Figures::from)
    }

    async fn take(&self, arrival: &Arrival) -> Taken {
        match &arrival.route {
            Route::Shopify(channel) => stagepost_shopify_webhook::take(&self.orders, channel, arrival).await,
            Route::Woocommerce(channel) => {
                stagepost_woocommerce_webhook::take(&self.orders, channel, arrival).await
            }
            Route::Carrier(carrier) => self.carriers.take(carrier, arrival).await,
        }
    }

    /// What came from the quarantine leaves it, unless it is there again.
    async fn taken(&self, arrival: &Arrival, outcome: &Value) -> Result<Figures, ComesBack> {
        tracing::info!(?arrival, %outcome, "decided");
        if let Proof::Quarantined { shop, id } = &arrival.proof
            && !is_quarantined(outcome)
        {
            quarantine::release(self.orders.core(), shop, id).await.map_err(|error| comes_back(&error))?;
        }
        Ok(figures_of(arrival, outcome))
    }
}

fn comes_back(why: &dyn std::fmt::Display) -> ComesBack {
    tracing::warn!(%why, "not decided: the message comes back");
    ComesBack
}

#[cfg(test)]
mod tests;
