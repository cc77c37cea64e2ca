//! The attempt log: what each call of an endpoint came to, for people who look for what went wrong. It is written
//! after the record of the attempt, which is the truth; kept for 30 days.

use serde::{Deserialize, Serialize};
use stagepost_domain::id::{AttemptId, EndpointId, JobId, ShopId};
use stagepost_domain::run::RunId;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::ports::{ActError, Answer, Post};

/// So much of an answer is kept, in bytes.
pub const BODY_KEPT: usize = 2_048;
/// Headers of an answer that are kept.
const HEADERS_KEPT: usize = 30;
/// Longest name and value of a header that is kept, in bytes.
const HEADER_KEPT: usize = 200;
/// What stands for a value that nobody is shown.
const REDACTED: &str = "[redacted]";
/// Headers of ours whose values are shown: signatures and custom headers are secrets.
const SHOWN: [&str; 3] = ["content-type", "webhook-id", "webhook-timestamp"];
/// What the name of a header that carries a secret has in it.
const SECRET: [&str; 9] =
    ["auth", "cookie", "token", "secret", "key", "session", "signature", "password", "credential"];

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOf {
    /// The message of a run.
    Run(RunId),
    /// The test message of a job.
    Job(JobId),
}

/// One call of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The claim that it was made under.
    pub id: AttemptId,
    /// Its tenant.
    pub shop: ShopId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What was sent.
    #[serde(rename = "of")]
    pub of: AttemptOf,
    /// Which attempt of it, from 1; a retry by hand counts anew.
    #[serde(rename = "n")]
    pub number: u32,
    /// When it was made.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    #[serde(rename = "ms")]
    pub took_ms: u64,
    /// The answer's status, if there was one.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it did not count, if it did not.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Headers that were sent, redacted.
    #[serde(rename = "rq", default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<(String, String)>,
    /// Headers of the answer, redacted.
    #[serde(rename = "rs", default, skip_serializing_if = "Vec::is_empty")]
    pub got: Vec<(String, String)>,
    /// The beginning of the answer, at most [`BODY_KEPT`] bytes of it.
    #[serde(rename = "b", default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Whether the answer went on.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A call that was made, before anybody says what it means.
#[derive(Debug)]
pub struct Called {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: SignedDuration,
    /// The headers that were sent.
    pub sent: Vec<(String, String)>,
    /// What came back.
    pub answer: Result<Answer, ActError>,
}

impl Called {
    /// The call as it is kept. `error`: why it did not count.
    #[must_use]
    pub fn kept(&self, whose: Whose<'_>, error: Option<&str>) -> Attempt {
        let answer = self.answer.as_ref().ok();
        let body = answer.map(|a| a.body.as_slice()).unwrap_or_default();
        let begins = body.get(..BODY_KEPT).unwrap_or(body);
        Attempt {
            id: whose.id.clone(),
            shop: whose.shop.clone(),
            endpoint: whose.endpoint.clone(),
            of: whose.of,
            number: whose.number,
            at: self.at,
            took_ms: u64::try_from(self.took.as_millis()).unwrap_or_default(),
            status: answer.map(|a| a.status),
            error: error.map(str::to_owned),
            sent: self.sent.clone(),
            got: answer.map(|a| redacted(&a.headers)).unwrap_or_default(),
            body: String::from_utf8_lossy(begins).into_owned(),
            cut: body.len() > BODY_KEPT || answer.is_some_and(|a| a.more),
        }
    }
}

/// Whose call it was.
#[derive(Debug)]
pub struct Whose<'a> {
    /// The claim.
    pub id: &'a AttemptId,
    /// The tenant.
    pub shop: &'a ShopId,
    /// The endpoint.
    pub endpoint: &'a EndpointId,
    /// What was sent.
    pub of: AttemptOf,
    /// Which attempt of it.
    pub number: u32,
}

/// The headers of a call without their secrets.
#[must_use]
pub fn sent_headers(post: &Post) -> Vec<(String, String)> {
    let shown =
        |name: &str, value: &str| if SHOWN.contains(&name) { value.to_owned() } else { REDACTED.to_owned() };
    post.headers.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect()
}

/// The headers of an answer without what may be a secret, and not too many.
fn redacted(headers: &[(String, String)]) -> Vec<(String, String)> {
    use stagepost_domain::text::truncated;
    let hidden = |name: &str| SECRET.iter().any(|part| name.to_ascii_lowercase().contains(part));
    let kept = headers.iter().take(HEADERS_KEPT).map(|(name, value)| {
        let value = if hidden(name) { REDACTED } else { value };
        (truncated(name, HEADER_KEPT), truncated(value, HEADER_KEPT))
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn kept(answer: Result<Answer, ActError>) -> Attempt {
        let called =
            Called { at: Timestamp::UNIX_EPOCH, took: SignedDuration::from_secs(2), sent: vec![], answer };
        let whose = Whose {
            id: &AttemptId::parse("att_a").unwrap(),
            shop: &ShopId::parse("shop_a").unwrap(),
            endpoint: &EndpointId::parse("ep_a").unwrap(),
            of: AttemptOf::Job(JobId::parse("job_a").unwrap()),
            number: 1,
        };
        called.kept(whose, None)
    }

    #[test]
    fn law_19_no_secret_of_ours_is_kept() {
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", "msg_a"),
            ("webhook-timestamp", "1"),
            ("webhook-signature", "v1,abc"),
            ("authorization", "Bearer abc"),
            ("x-warehouse", "abc"),
        ];
        let post =
            Post { url: "https://a.example/".parse().unwrap(), headers: pairs(&headers), body: vec![] };
        let shown: Vec<_> = sent_headers(&post).into_iter().map(|(_, value)| value).collect();
        assert_eq!(shown, ["application/json", "msg_a", "1", REDACTED, REDACTED, REDACTED]);
    }

    #[test]
    fn law_19_what_may_be_a_secret_of_theirs_is_not_kept() {
        let headers =
            pairs(&[("Set-Cookie", "a=b"), ("X-Api-Key", "k"), ("x-amz-security-token", "t"), ("date", "d")]);
        let attempt = kept(Ok(Answer { headers, ..Answer::of(200) }));
        let shown: Vec<_> = attempt.got.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(shown, [REDACTED, REDACTED, REDACTED, "d"]);
    }

    #[test]
    fn an_answer_is_kept_within_limits_whatever_it_is() {
        let headers = vec![("x".repeat(1_000), "ä".repeat(1_000)); 100];
        let body = vec![0xff_u8; 5_000];
        let attempt = kept(Ok(Answer { headers, body, ..Answer::of(500) }));
        assert_eq!((attempt.got.len(), attempt.cut, attempt.status), (HEADERS_KEPT, true, Some(500)));
        assert!(attempt.got.iter().all(|(name, value)| name.len() <= 200 && value.len() <= 200));
        assert_eq!(attempt.body.chars().count(), BODY_KEPT);
        let attempt = kept(Err(ActError::retry("no")));
        assert_eq!((attempt.status, attempt.took_ms, attempt.cut), (None, 2_000, false));
    }
}
