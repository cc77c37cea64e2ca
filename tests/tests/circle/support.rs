//! Signing and posting, and words for what the tests look at.

use serde_json::Value;
use stagepost_standins::Posted;
use stagepost_tests::World;
pub use stagepost_tests::signed::{notification, shopify, woo};

/// What an answer says became of the notification.
pub fn outcome(posted: &Posted) -> Value {
    assert_eq!(posted.status, 200, "{}", String::from_utf8_lossy(&posted.body));
    serde_json::from_slice::<Value>(&posted.body).unwrap()["outcome"].clone()
}

/// The shop's quarantine, newest first.
pub async fn quarantine(world: &World) -> Vec<Value> {
    let listed = world.api.get("/v1/quarantine").await.ok();
    listed["items"].as_array().unwrap().clone()
}
