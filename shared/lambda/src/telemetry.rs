//! Logs: one wide JSON line per invocation, ids only. Never a body, a name, an address or a token.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields};

/// Sets up JSON logs and, in a deployment, figures. The level comes from `STAGEPOST_LOG` (default `info`).
pub fn init() {
    let filter = EnvFilter::try_from_env("STAGEPOST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _already_set = json(filter).try_init();
    crate::metrics::init();
}

/// One line for each event. It names the invocation that it is of: the runtime keeps its request id in the span
/// around it.
pub(crate) fn json(filter: EnvFilter) -> SubscriberBuilder<JsonFields, Format<Json, ()>, EnvFilter> {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .without_time()
        .with_env_filter(filter)
}
