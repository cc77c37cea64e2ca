//! How a store's REST API is reached (integrations §4, live notes 40 and 42).
//!
//! Most stores take the API's own path and the key in the login header. In one with plain permalinks the path
//! leads nowhere: there the route stands in the query. Some hosts drop the login header: there the key does.
//! Which it is shows at the first read, and a read is safe to repeat.

use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stagepost_app::ports::{ActError, ApiAnswer, ApiCall, ChannelAccess, PlatformHttp};
use stagepost_domain::SignedDuration;
use url::{Host, Url, form_urlencoded};

use crate::problem::{code, json, passing};

/// WooCommerce looks at keys only where this stands in the address, if only in its query (live notes 42).
const CHARM: &str = "x=wp-json/wc/";
/// What a store answers to a read without a key: none was sent, or none arrived (live notes 41).
const KEYLESS: &str = "woocommerce_rest_cannot_view";
/// What it answers about a route that it does not have.
const NO_ROUTE: &str = "rest_no_route";

/// A way to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Way {
    /// The route goes in the query: permalinks are plain.
    plain: bool,
    /// The key goes in the query: the host drops the login header. Never but over https, like the header.
    key_in_query: bool,
}

impl Way {
    const PLAIN: u8 = 1;
    const KEY_IN_QUERY: u8 = 2;

    fn bits(self) -> u8 {
        u8::from(self.plain) * Self::PLAIN + u8::from(self.key_in_query) * Self::KEY_IN_QUERY
    }

    fn of(bits: u8) -> Self {
        Self { plain: bits & Self::PLAIN != 0, key_in_query: bits & Self::KEY_IN_QUERY != 0 }
    }

    /// The way to try after this answer to a read.
    fn next(self, answer: &ApiAnswer) -> Option<Self> {
        // The API itself would have answered in JSON.
        let astray = matches!(answer.status, 200..=299 | 404) && json(answer).is_none();
        let keyless = answer.status == 401 && code(answer).as_deref() == Some(KEYLESS);
        match self {
            Self { plain: false, .. } if astray => Some(Self { plain: true, ..self }),
            Self { key_in_query: false, .. } if keyless => Some(Self { key_in_query: true, ..self }),
            _ => None,
        }
    }
}

/// One store, with the key to it.
pub(crate) struct Door<'a, H> {
    http: &'a H,
    base: Url,
    key: &'a str,
    secret: &'a str,
    way: AtomicU8,
    spent: AtomicI64,
}

impl<'a, H: PlatformHttp> Door<'a, H> {
    /// Checks address and credentials before anything is sent.
    pub fn open(http: &'a H, access: &'a ChannelAccess, way: Way) -> Result<Self, ActError> {
        let base = base(&access.channel.store)?;
        let Some((key, secret)) = access.credentials.split_once(':') else {
            return Err(ActError::permanent(
                "the channel's credentials are not a WooCommerce key and secret",
            ));
        };
        Ok(Self { http, base, key, secret, way: AtomicU8::new(way.bits()), spent: AtomicI64::new(0) })
    }

    /// The way that was found.
    pub fn way(&self) -> Way {
        Way::of(self.way.load(Ordering::Relaxed))
    }

    /// How long the calls took so far.
    pub fn spent(&self) -> SignedDuration {
        SignedDuration::from_millis(self.spent.load(Ordering::Relaxed))
    }

    /// Reads `route` (`wc/v3/…`), by another way if the first leads nowhere. If none leads anywhere, the first
    /// answer tells most. A store that only fails for now says nothing of the way: that is tried again later, and
    /// is not the first answer's error, which may be for good.
    pub async fn read(&self, route: &str, query: &[(&str, String)]) -> Result<ApiAnswer, ActError> {
        let mut way = self.way();
        let first = self.call(way, "GET", route, query, None).await?;
        let mut next = way.next(&first);
        while let Some(other) = next {
            way = other;
            let answer = self.call(way, "GET", route, query, None).await?;
            if passing(&answer) {
                return Ok(answer);
            }
            next = way.next(&answer);
            let told = json(&answer).is_some() && code(&answer).as_deref() != Some(NO_ROUTE);
            if next.is_none() && told && answer.status != 401 {
                self.way.store(way.bits(), Ordering::Relaxed);
                return Ok(answer);
            }
        }
        Ok(first)
    }

    /// Writes by the way that is known.
    pub async fn write(
        &self,
        method: &'static str,
        route: &str,
        body: &Value,
    ) -> Result<ApiAnswer, ActError> {
        self.call(self.way(), method, route, &[], Some(body)).await
    }

    async fn call(
        &self,
        way: Way,
        method: &'static str,
        route: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<ApiAnswer, ActError> {
        let mut headers = vec![("accept", "application/json".to_owned())];
        if !way.key_in_query {
            let login = STANDARD.encode(format!("{}:{}", self.key, self.secret));
            headers.push(("authorization", format!("Basic {login}")));
        }
        if body.is_some() {
            // Under any other type WooCommerce ignores the body and answers 200 (live notes 47).
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(|b| b.to_string().into_bytes());
        let url = self.url(way, route, query)?;
        let answer = self.http.call(ApiCall { method, url, headers, body }).await?;
        let took = i64::try_from(answer.took.as_millis()).unwrap_or(i64::MAX);
        self.spent.fetch_add(took, Ordering::Relaxed);
        Ok(answer)
    }

    fn url(&self, way: Way, route: &str, query: &[(&str, String)]) -> Result<Url, ActError> {
        let mut url = self.base.clone();
        {
            let mut path = url.path_segments_mut().map_err(|()| unusable())?;
            path.pop_if_empty();
            if way.plain {
                path.push("");
            } else {
                path.push("wp-json").extend(route.split('/'));
            }
        }
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        if way.key_in_query {
            pairs.extend_pairs([("consumer_key", self.key), ("consumer_secret", self.secret)]);
        }
        let pairs = pairs.finish();
        // A route is of our own words and digits; its slashes must stand as they are.
        let route = if way.plain { format!("rest_route=/{route}&{CHARM}") } else { String::new() };
        let parts: Vec<_> = [route, pairs].into_iter().filter(|part| !part.is_empty()).collect();
        url.set_query(Some(parts.join("&")).filter(|q| !q.is_empty()).as_deref());
        Ok(url)
    }
}

fn unusable() -> ActError {
    ActError::permanent("the store's address must be an https address without user name and query")
}

/// The store's root. Over plain http WooCommerce refuses keys (live notes 40) and they could be read on
/// the way: only a stand-in on this machine may be called so.
fn base(store: &str) -> Result<Url, ActError> {
    let url = Url::parse(store).map_err(|_| unusable())?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(unusable()),
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && here);
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if scheme && plain { Ok(url) } else { Err(unusable()) }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::tests::channel;

    /// Answers in turn, and keeps where it was called and whether with a login.
    struct Script(Mutex<VecDeque<(u16, &'static str)>>, Mutex<Vec<(String, bool)>>);

    impl PlatformHttp for Script {
        async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
            let login = call.headers.iter().any(|(name, _)| *name == "authorization");
            self.1.lock().unwrap().push((call.url.to_string(), login));
            let (status, body) = self.0.lock().unwrap().pop_front().unwrap();
            let took = SignedDuration::from_secs(1);
            Ok(ApiAnswer { status, retry_after: None, took, date: None, body: body.into() })
        }
    }

    const ORDER: &str = r#"{"id":79}"#;
    const KEYLESS_ANSWER: &str = r#"{"code":"woocommerce_rest_cannot_view","data":{"status":401}}"#;
    const ROUTE: &str = "wc/v3/orders/79";

    /// What a read comes to, and the calls of it and of a write after it.
    async fn read(answers: &[(u16, &'static str)]) -> (u16, Vec<(String, bool)>) {
        let script = Script(Mutex::new(answers.iter().copied().collect()), Mutex::default());
        let access = ChannelAccess { channel: channel(), credentials: "ck_a:cs_b&c".into() };
        let door = Door::open(&script, &access, Way::default()).unwrap();
        let answer = door.read(ROUTE, &[]).await.unwrap();
        if !script.0.lock().unwrap().is_empty() {
            door.write("PUT", ROUTE, &Value::Null).await.unwrap();
        }
        assert_eq!(door.spent().as_secs(), i64::try_from(script.1.lock().unwrap().len()).unwrap());
        (answer.status, script.1.into_inner().unwrap())
    }

    #[tokio::test]
    async fn the_way_is_found_by_reading_and_writes_follow_it() {
        let path = "https://shop.example/wp-json/wc/v3/orders/79";
        let plain = "https://shop.example/?rest_route=/wc/v3/orders/79&x=wp-json/wc/";
        let key = "consumer_key=ck_a&consumer_secret=cs_b%26c";
        let call = |url: &str, login| (url.to_owned(), login);
        for (answers, calls) in [
            (vec![(200, ORDER), (200, ORDER)], vec![call(path, true), call(path, true)]),
            (
                vec![(404, "<html>"), (200, ORDER), (200, ORDER)],
                vec![call(path, true), call(plain, true), call(plain, true)],
            ),
            (
                vec![(401, KEYLESS_ANSWER), (200, ORDER), (200, ORDER)],
                vec![
                    call(path, true),
                    call(&format!("{path}?{key}"), false),
                    call(&format!("{path}?{key}"), false),
                ],
            ),
            (
                vec![(200, "<html>"), (401, KEYLESS_ANSWER), (200, ORDER), (200, ORDER)],
                vec![
                    call(path, true),
                    call(plain, true),
                    call(&format!("{plain}&{key}"), false),
                    call(&format!("{plain}&{key}"), false),
                ],
            ),
        ] {
            assert_eq!(read(&answers).await, (200, calls), "{answers:?}");
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_for_now_at_the_second_way_is_asked_again_and_no_way_is_settled() {
        const DOWN: &str = r#"{"code":"internal_server_error"}"#;
        for (first, second) in [
            ((401, KEYLESS_ANSWER), (503, DOWN)),
            ((401, KEYLESS_ANSWER), (429, "<html>")),
            ((404, "<html>"), (500, DOWN)),
            ((404, "<html>"), (502, "<html>")),
        ] {
            // The write after it goes by the first way.
            let (status, calls) = read(&[first, second, (200, ORDER)]).await;
            assert_eq!(status, second.0, "{first:?}");
            assert_eq!((calls.len(), &calls[2]), (3, &calls[0]), "{second:?}");
        }
    }

    #[tokio::test]
    async fn what_leads_nowhere_by_any_way_is_told_by_the_first_answer() {
        const NO_ROUTE_ANSWER: &str = r#"{"code":"rest_no_route"}"#;
        for (answers, calls) in [
            (vec![(404, "<html>"), (404, "<html>")], 2),
            (vec![(404, "<html>"), (404, NO_ROUTE_ANSWER)], 2),
            (vec![(404, "<html>"), (200, "<html>")], 2),
            (vec![(404, "<html>"), (401, KEYLESS_ANSWER), (401, KEYLESS_ANSWER)], 3),
            (vec![(401, KEYLESS_ANSWER), (401, KEYLESS_ANSWER)], 2),
            // Told by the API itself, or by nobody who knows: no other way is tried.
            (vec![(404, NO_ROUTE_ANSWER)], 1),
            (vec![(403, "<html>")], 1),
            (vec![(503, "<html>")], 1),
            (vec![(401, r#"{"code":"woocommerce_rest_authentication_error"}"#)], 1),
        ] {
            let (status, made) = read(&answers).await;
            assert_eq!((status, made.len()), (answers[0].0, calls), "{answers:?}");
        }
    }
}
