//! The connection that a function opens before the first call waits for it.

use std::time::Duration;

use crate::keys::{Key, ORDER};
use crate::store::DynamoStore;

/// Longest that a function's start waits. A table that is away is the first call's to tell: a platform's
/// notification then still has the time in which it is kept.
const WARM_WITHIN: Duration = Duration::from_millis(500);
/// The place of no order, in a part of the table that everybody may read.
const NOBODY: &str = "ORDER#warm";

impl DynamoStore {
    /// Reads an item that is not there, one read unit, so that name, connection, handshake and credentials are
    /// done with. For the start of a function that somebody waits for: there a function has a whole CPU, and a
    /// seventh of one in a call. Never fails, and is over within half a second.
    pub async fn warm(&self) {
        let nobody = Key::new(NOBODY, ORDER);
        match tokio::time::timeout(WARM_WITHIN, self.get(&nobody)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "not warmed"),
            Err(_) => tracing::warn!("not warmed in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

    use super::*;
    use crate::{client_over, scripted};

    /// Takes a connection and never says anything.
    #[derive(Debug)]
    struct Silent;

    impl HttpConnector for Silent {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::new(std::future::pending())
        }
    }

    #[tokio::test]
    async fn warming_asks_once_for_a_key_that_every_reader_may_read_and_takes_no_for_an_answer() {
        for answer in [scripted::fine(), scripted::refused("AccessDeniedException")] {
            let (store, heard) = scripted::store([answer]);
            store.warm().await;
            let heard = heard.lock().unwrap();
            let [(operation, asked)] = heard.as_slice() else { panic!("asked {} times", heard.len()) };
            assert_eq!(operation, "GetItem");
            // Each role's leading keys hold ORDER#*, which the template's test compares.
            assert_eq!(asked.pointer("/Key/pk/S").unwrap(), "ORDER#warm");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_table_that_never_answers_holds_a_start_up_for_half_a_second() {
        let http = http_client_fn(|_, _| SharedHttpConnector::new(Silent));
        let store = DynamoStore::new(client_over(http), "table");
        let began = tokio::time::Instant::now();
        store.warm().await;
        assert_eq!(began.elapsed(), WARM_WITHIN);
    }
}
