//! Logs: one wide JSON line per invocation, ids only. Never a body, a name, an address or a token.

use tracing_subscriber::EnvFilter;

/// Sets up JSON logs; the level comes from `STAGEPOST_LOG` (default `info`).
pub fn init() {
    let filter = EnvFilter::try_from_env("STAGEPOST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _already_set = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .without_time()
        .with_env_filter(filter)
        .try_init();
}
