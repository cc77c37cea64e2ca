//! A client that outlives the host: it asks again until it has an answer.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::Trouble;

const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
const TRIES_MAX: usize = 2_000;

/// An answer that is no trouble of the host's.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    pub fn ok(self) -> Result<Value, Trouble> {
        match self.status {
            200..300 => Ok(self.body),
            status => Err(format!("{status}: {}", self.body).into()),
        }
    }
}

/// The API with one key.
#[derive(Clone)]
pub struct Client {
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "for a host on loopback")]
    pub fn new(base: String, key: String) -> Result<Self, Trouble> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { base, key, http })
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Result<Value, Trouble> {
        self.call(&Method::GET, path, None, None).await?.ok()
    }

    /// Writes under a key, so that asking again does nothing twice.
    pub async fn post(&self, path: &str, body: &Value, once: &str) -> Result<Answer, Trouble> {
        self.call(&Method::POST, path, Some(body), Some(once)).await
    }

    /// Changes.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        self.call(&Method::PATCH, path, Some(body), None).await?.ok()
    }

    /// Lets mails go that the governor stopped: so many are usual in a storm. A host that is away now may not be
    /// for the next time.
    pub async fn release(&self) {
        let asked = self.http.post(format!("{}/v1/governor/resume", self.base)).bearer_auth(&self.key);
        let _away = asked.json(&json!({})).send().await;
    }

    async fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> Result<Answer, Trouble> {
        for _ in 0..TRIES_MAX {
            let mut asked =
                self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.key);
            if let Some(body) = body {
                asked = asked.json(body);
            }
            if let Some(once) = once {
                asked = asked.header("Idempotency-Key", once);
            }
            if let Ok(answer) = asked.send().await {
                let status = answer.status().as_u16();
                let in_progress =
                    once.is_some() && status == 409 && answer.headers().contains_key("retry-after");
                let text = answer.text().await;
                if let (Ok(text), false) = (text, status >= 500 || status == 429 || in_progress) {
                    return Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) });
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(format!("no answer to {method} {path}").into())
    }
}
