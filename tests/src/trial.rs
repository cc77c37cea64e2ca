//! A shop in real time, at the deployment that there is: what is told here holds on a laptop and on AWS.

use std::ops::Deref;
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_domain::id::ShopId;
use stagepost_local::HostConfig;
use stagepost_standins::{Courier, EasyPost, Receiver, WooStore};

use crate::deployment::{Deployment, Sent};
use crate::{Api, EASYPOST_SECRET, Scene, WOO_SECRET, set_up};

/// Longest that anything may take in real time: two sweeps of the due index.
const PATIENCE: Duration = Duration::from_secs(150);
/// How often it is looked.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Looks until there is something, and gives it.
///
/// # Panics
/// There is nothing within two sweeps.
pub async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap()
}

/// A shop of its own at the deployment that there is, everything connected, without a grace.
pub struct Trial {
    /// Where it is.
    pub deployment: Deployment,
    scene: Scene,
    from: String,
}

impl Deref for Trial {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Trial {
    /// A shop that nobody else has.
    pub async fn start() -> Self {
        let HostConfig { clock, entropy, .. } = HostConfig::in_memory();
        let name = entropy.id_body();
        let shop = ShopId::from_body(&name).unwrap();
        let from = format!("{name}@rehearsal.example");
        let (deployment, far) = Deployment::start(&format!("{name}.myshopify.com")).await;
        let woo = WooStore::start("ck_test:cs_test", WOO_SECRET, clock.clone()).await.unwrap();
        let receiver = Receiver::start(clock.clone()).await.unwrap();
        let base = deployment.base();
        let api = Api::new(&base, &deployment.shop(&shop, &from).await);
        let no_grace = json!({"grace_seconds": 0}).to_string().into_bytes();
        api.send("PATCH", "/v1/settings", Some(no_grace)).await.ok();
        let ids = set_up(&api, far.shopify.domain(), &woo.url(), &receiver.url()).await;
        // Platforms tell whole seconds: an order of this second may be from before its channel.
        let armed = clock.now().as_second();
        until(async || (clock.now().as_second() > armed).then_some(())).await;
        let (courier, easypost) = (Courier::new(&base), EasyPost::new(EASYPOST_SECRET));
        let (shopify, parcels) = (far.shopify, far.parcels);
        let scene = Scene { api, shop, shopify, woo, easypost, parcels, receiver, courier, ids };
        Self { deployment, scene, from }
    }

    /// The mails of this shop, oldest first.
    pub async fn mails(&self) -> Vec<Sent> {
        self.deployment.mails(&self.from).await
    }

    /// Subjects of the mails of this shop.
    pub async fn subjects(&self) -> Vec<String> {
        self.mails().await.into_iter().map(|m| m.subject).collect()
    }

    /// Waits until every run of the order has ended: from then on nothing is sent for it. Gives the runs.
    pub async fn ended(&self, id: &str) -> Vec<Value> {
        until(async || {
            let runs = self.runs(id).await;
            let open = |run: &Value| run["state"] == "pending" || run["state"] == "claimed";
            (!runs.iter().any(open)).then_some(runs)
        })
        .await
    }

    /// Waits until the order stands in a stage and its runs have ended.
    pub async fn comes_to(&self, id: &str, stage: &str) {
        until(async || (self.stage(id).await == stage).then_some(())).await;
        self.ended(id).await;
    }
}
