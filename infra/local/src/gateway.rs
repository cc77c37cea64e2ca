//! The HTTP API in front of the functions: a request becomes the event that API Gateway would send
//! (payload 2.0), goes through `lambda_http` as on Lambda, and the answer becomes a response again.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Context, LambdaEvent, Service};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::invoke::{Failed, invoke};
use crate::mailbox::{self, Mailbox};

/// Largest body that is taken: API Gateway's limit.
const BODY_MAX: usize = 10 * 1024 * 1024;
/// Longest that a function may take: API Gateway's limit is 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(29);

/// An HTTP function, called with an event's JSON; `None` when it failed.
type Called = Pin<Box<dyn Future<Output = Option<Value>> + Send>>;
/// An HTTP function.
pub type HttpFunction = Arc<dyn Fn(String) -> Called + Send + Sync>;

/// Makes a function of a service as it would be given to `lambda_http::run`.
pub fn function<S, R, E>(service: S) -> HttpFunction
where
    S: Service<lambda_http::Request, Response = R, Error = E> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    R: lambda_http::IntoResponse + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    Arc::new(move |event| {
        let service = service.clone();
        Box::pin(async move {
            let payload: LambdaRequest = serde_json::from_str(&event)
                .inspect_err(|error| tracing::error!(%error, "an HTTP event cannot be read"))
                .ok()?;
            let call = Adapter::from(service).call(LambdaEvent::new(payload, Context::default()));
            let answer = call.await.inspect_err(|error| tracing::error!(%error, "a function failed")).ok()?;
            serde_json::to_value(answer).ok()
        })
    })
}

/// The functions behind the routes.
pub struct Functions {
    /// `/v1/…`
    pub api: HttpFunction,
    /// `POST /webhooks/shopify/{channel}`
    pub shopify: HttpFunction,
    /// `POST /webhooks/woocommerce/{channel}`
    pub woocommerce: HttpFunction,
    /// `POST /webhooks/carriers/{integration}`
    pub carriers: HttpFunction,
    /// `GET /t/{token}`
    pub tracking: HttpFunction,
    /// Everything else.
    pub console: HttpFunction,
}

struct Gateway {
    functions: Functions,
    mailbox: Mailbox,
    requests: AtomicU64,
}

/// Everything that is served.
pub fn router(functions: Functions, mailbox: Mailbox) -> Router {
    let gateway = Gateway { functions, mailbox, requests: AtomicU64::new(0) };
    Router::new().fallback(serve).with_state(Arc::new(gateway))
}

async fn serve(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let functions = &gateway.functions;
    match (request.method(), segments.as_slice()) {
        (_, ["v1", ..]) => gateway.call(&functions.api, request).await,
        (&Method::POST, ["webhooks", "shopify", _]) => gateway.call(&functions.shopify, request).await,
        (&Method::POST, ["webhooks", "woocommerce", _]) => {
            gateway.call(&functions.woocommerce, request).await
        }
        (&Method::POST, ["webhooks", "carriers", _]) => gateway.call(&functions.carriers, request).await,
        (&Method::GET | &Method::HEAD, ["t", _]) => gateway.call(&functions.tracking, request).await,
        (&Method::GET, ["_local", page @ ..]) if asked_by_loopback_name(request.headers()) => {
            gateway.local(page, request.headers())
        }
        (_, ["_local", ..]) => message(StatusCode::NOT_FOUND, "Not Found"),
        _ => gateway.call(&functions.console, request).await,
    }
}

/// The local pages have no key, so a web site that points its own name at this address must not read them.
fn asked_by_loopback_name(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    matches!(name.map_or(host, |(name, _)| name), "127.0.0.1" | "localhost" | "[::1]")
}

impl Gateway {
    fn local(&self, page: &[&str], headers: &HeaderMap) -> Response {
        let answer = match page {
            ["health"] => Some(axum::Json(json!({"status": "ok"})).into_response()),
            ["mailbox", path @ ..] => mailbox::answer(&self.mailbox, path, headers),
            _ => None,
        };
        answer.unwrap_or_else(|| message(StatusCode::NOT_FOUND, "Not Found"))
    }

    async fn call(&self, function: &HttpFunction, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY_MAX).await else {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let event = event(&parts, &body, number).to_string();
        match invoke(TIMEOUT, function(event)).await {
            Ok(Some(answer)) => response(answer),
            Ok(None) | Err(Failed::Panicked) => {
                message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Err(Failed::TimedOut) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }
}

fn message(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(json!({ "message": text }))).into_response()
}

/// Payload 2.0 (integrations §8.1): names in lower case, repeated headers joined, cookies apart, no body
/// where it is empty. Signed notifications always come in base64, whatever their type: the bytes must
/// survive, and the functions must not care.
fn event(parts: &Parts, body: &[u8], number: u64) -> Value {
    let path = parts.uri.path();
    let header = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers(&parts.headers),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": header(HOST).unwrap_or("localhost"),
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": header(axum::http::header::USER_AGENT).unwrap_or_default(),
            },
            "requestId": format!("local-{number}"),
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/1970:00:00:00 +0000",
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    });
    let cookies: Vec<&str> = parts.headers.get_all(COOKIE).iter().filter_map(|c| c.to_str().ok()).collect();
    if !cookies.is_empty() {
        let cookies = cookies.iter().flat_map(|c| c.split("; ")).collect::<Vec<_>>();
        insert(&mut event, "cookies", json!(cookies));
    }
    match std::str::from_utf8(body) {
        _ if body.is_empty() => {}
        Ok(text) if path.starts_with("/v1/") => insert(&mut event, "body", text.into()),
        _ => {
            insert(&mut event, "body", STANDARD.encode(body).into());
            insert(&mut event, "isBase64Encoded", true.into());
        }
    }
    event
}

fn insert(event: &mut Value, key: &str, value: Value) {
    if let Some(event) = event.as_object_mut() {
        event.insert(key.to_owned(), value);
    }
}

fn headers(all: &HeaderMap) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in all.keys().filter(|name| *name != COOKIE) {
        let values = all.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        joined.insert(name.as_str().to_owned(), values.collect::<Vec<_>>().join(",").into());
    }
    joined
}

/// A function's answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn response(answer: Value) -> Response {
    built(answer).unwrap_or_else(|| {
        tracing::error!("a function's answer is none");
        message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    })
}

fn built(answer: Value) -> Option<Response> {
    let answer: Answer = serde_json::from_value(answer).ok()?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded { STANDARD.decode(body).ok()? } else { body.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    for (name, value) in answer.headers {
        response.headers_mut().insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    for cookie in answer.cookies {
        response.headers_mut().append(SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    // API Gateway says so where a function says nothing.
    response
        .headers_mut()
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Parts {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri(path)
            .header("X-Twice", "a")
            .header("X-Twice", "b")
            .header("Cookie", "c=1; d=2")
            .header("Host", "localhost:8787");
        request.body(()).unwrap().into_parts().0
    }

    /// What a function sees of a request.
    fn seen(parts: &Parts, body: &[u8]) -> lambda_http::Request {
        let event: LambdaRequest = serde_json::from_str(&event(parts, body, 1).to_string()).unwrap();
        event.into()
    }

    #[test]
    fn a_function_sees_the_same_bytes_on_every_route() {
        for body in [&b"{\"a\": 1}"[..], b"\xff\x00\xfe", "ä €".as_bytes(), b""] {
            for path in ["/v1/orders?limit=2", "/webhooks/shopify/chan_1"] {
                let request = seen(&parts(path), body);
                assert_eq!(stagepost_lambda::http::body_bytes(&request), body);
                assert_eq!(request.method(), "POST");
                assert_eq!(request.uri().path_and_query().unwrap().as_str(), path);
                assert_eq!(request.headers()["x-twice"], "a,b");
                assert_eq!(request.headers()["cookie"], "c=1; d=2");
            }
        }
    }

    #[test]
    fn an_answer_comes_out_as_it_was_given() {
        let answer = json!({"statusCode": 201, "headers": {"x-a": "b"}, "cookies": ["c=1", "d=2"],
            "body": "AP8=", "isBase64Encoded": true, "multiValueHeaders": {}});
        let response = response(answer);
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(built(json!({"statusCode": 9})).map(|_| ()), None);
    }

    #[test]
    fn local_pages_are_for_those_who_ask_by_a_loopback_name() {
        for (host, allowed) in
            [("127.0.0.1:8787", true), ("localhost", true), ("[::1]:80", true), ("evil.example:8787", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            assert_eq!(asked_by_loopback_name(&headers), allowed, "{host}");
        }
        assert!(!asked_by_loopback_name(&HeaderMap::new()));
    }
}
