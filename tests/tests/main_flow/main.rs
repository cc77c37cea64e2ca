//! The main job in real time, told by what every deployment has: the API, the inbound webhooks, and far ends that
//! see what comes. `make test` runs it on the local host, `make e2e` on the template in a stand-in of AWS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

mod both_ways;
mod orders;
mod parcels;

use stagepost_tests::{Trial, boats};

/// A Shopify order that stands in New, its mail sent: the store's id and ours.
async fn shopify_order(trial: &Trial) -> (String, String) {
    let external = trial.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    trial.deliver_shopify().await;
    let id = trial.shopify_order(&external);
    trial.comes_to(&id, "New").await;
    (external, id)
}

/// The same of the WooCommerce site.
async fn woo_order(trial: &Trial) -> (String, String) {
    let external = trial.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    trial.deliver_woo().await;
    let id = trial.woo_order(&external);
    trial.comes_to(&id, "New").await;
    (external, id)
}
