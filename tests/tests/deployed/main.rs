//! What only a deployment has: functions that are killed, queues with dead letters, an operator's commands. Runs on
//! what `make e2e` deployed to a stand-in of AWS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

mod dead_letters;
mod killed;

use serde_json::{Value, json};
use stagepost_tests::Trial;

/// The flow, in which every order that comes is mailed about and told to the receiver.
async fn both_on_arrival(trial: &Trial) {
    let path = format!("/v1/flows/{}", trial.ids.flow);
    let mut flow: Value = trial.api.get(&path).await.ok();
    flow["stages"][0]["automations"]["webhook"] = json!({"enabled": true, "endpoint": trial.ids.endpoint});
    let edited = json!({
        "name": flow["name"], "stages": flow["stages"], "default_stage": flow["default_stage"],
        "fulfilled_stage": flow["fulfilled_stage"],
    });
    trial.api.put(&path, &edited).await.ok();
}
