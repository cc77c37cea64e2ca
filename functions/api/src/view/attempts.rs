//! Calls of endpoints as they were made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_app::attempt::{Attempt, AttemptOf};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{AttemptId, EndpointId, JobId};
use stagepost_domain::run::RunId;

/// One call of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptView {
    /// Its id.
    id: AttemptId,
    /// The endpoint.
    endpoint: EndpointId,
    /// The run whose message it was; null for a test.
    run: Option<RunId>,
    /// The job whose test message it was; null for a run's.
    job: Option<JobId>,
    /// Which attempt of it, from 1; a retry by hand counts anew.
    number: u32,
    /// When it was made.
    at: Timestamp,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// The answer's status; null if there was no answer.
    status: Option<u16>,
    /// Why it did not count; null if it did.
    error: Option<String>,
    /// Headers that were sent; signatures and own headers are `[redacted]`.
    request_headers: BTreeMap<String, String>,
    /// Headers of the answer; what may be a secret is `[redacted]`.
    response_headers: BTreeMap<String, String>,
    /// The first 2 KiB of the answer.
    response_body: String,
    /// Whether the answer went on.
    response_cut: bool,
}

impl From<Attempt> for AttemptView {
    fn from(a: Attempt) -> Self {
        let (run, job) = match a.of {
            AttemptOf::Run(run) => (Some(run), None),
            AttemptOf::Job(job) => (None, Some(job)),
        };
        Self {
            id: a.id,
            endpoint: a.endpoint,
            run,
            job,
            number: a.number,
            at: a.at,
            took_ms: a.took_ms,
            status: a.status,
            error: a.error,
            request_headers: a.sent.into_iter().collect(),
            response_headers: a.got.into_iter().collect(),
            response_body: a.body,
            response_cut: a.cut,
        }
    }
}
