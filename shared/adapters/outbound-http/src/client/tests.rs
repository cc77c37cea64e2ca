//! The client against a hand-written server on loopback.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// What the server does with every request, once it has read it.
#[derive(Clone)]
enum Script {
    /// Writes these bytes and closes.
    Say(String),
    /// Writes a head, then a body without end until the client leaves.
    Flood,
    /// Keeps the connection open and says nothing.
    Silence,
    /// Resets the connection.
    Reset,
}

struct Server {
    url: Url,
    requests: Arc<AtomicUsize>,
    last: JoinHandle<Vec<u8>>,
}

/// Serves until dropped; `last` ends with the first request's bytes once its connection is done.
async fn server(script: Script) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/hook?token=secret", listener.local_addr().unwrap())).unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let last = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let (again, second) = (Arc::clone(&count), script.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                again.fetch_add(1, Ordering::SeqCst);
                play(socket, second.clone()).await;
            }
        });
        play(socket, script).await
    });
    Server { url, requests, last }
}

async fn play(mut socket: TcpStream, script: Script) -> Vec<u8> {
    let request = read_request(&mut socket).await;
    match script {
        Script::Say(text) => {
            let _ = socket.write_all(text.as_bytes()).await;
        }
        Script::Flood => {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while socket.write_all(&[b'x'; 65_536]).await.is_ok() {}
        }
        Script::Silence => {
            let _ = socket.read(&mut [0]).await;
        }
        Script::Reset => socket.set_zero_linger().unwrap(),
    }
    request
}

async fn read_request(socket: &mut TcpStream) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = socket.read(&mut chunk).await.unwrap_or(0);
        seen.extend_from_slice(&chunk[..n]);
        if n == 0 || complete(&seen) {
            return seen;
        }
    }
}

fn complete(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    body.len() >= length
}

fn client(guard: Guard, lookup: Lookup) -> OutboundHttp {
    let times = Times { connect: Duration::from_secs(3), total: Duration::from_secs(10) };
    OutboundHttp::build(guard, times, lookup).unwrap()
}

fn local() -> OutboundHttp {
    client(Guard::LoopbackAllowed, system_lookup())
}

fn impatient() -> OutboundHttp {
    let times = Times { connect: Duration::from_secs(3), total: Duration::from_secs(1) };
    OutboundHttp::build(Guard::LoopbackAllowed, times, system_lookup()).unwrap()
}

fn post(url: &Url) -> Post {
    Post {
        url: url.clone(),
        headers: [("webhook-id", "run_1"), ("content-type", "application/json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: br#"{"type":"order.stage_entered"}"#.to_vec(),
    }
}

fn get(url: &Url) -> ApiCall {
    ApiCall {
        method: "GET",
        url: url.clone(),
        headers: vec![("authorization", "Basic x".to_owned())],
        body: None,
    }
}

fn reply(status: &str, headers: &str, body: &str) -> Script {
    Script::Say(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

async fn refused_because(http: &OutboundHttp, url: &str) -> ActError {
    http.post(&post(&Url::parse(url).unwrap()), ready(())).await.unwrap_err()
}

#[tokio::test]
async fn the_frozen_body_arrives_byte_for_byte_with_its_headers() {
    let server = server(reply("200 OK", "", "thanks")).await;
    let answer = local().post(&post(&server.url), ready(())).await.unwrap();
    assert_eq!((answer.status, answer.retry_after, answer.more), (200, None, false));
    assert_eq!(answer.body, b"thanks");
    assert_eq!(answer.headers, [("content-length".to_owned(), "6".to_owned())]);
    let request = String::from_utf8(server.last.await.unwrap()).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?token=secret HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("webhook-id: run_1"), "{head}");
    assert!(head.contains("user-agent: Stagepost/1 (+webhooks)"), "{head}");
    assert_eq!(head.matches("content-type").count(), 1, "{head}");
    assert!(!head.contains("accept-encoding"), "{head}");
    assert_eq!(body, r#"{"type":"order.stage_entered"}"#);
}

#[tokio::test]
async fn law_18_a_redirect_is_an_answer_and_is_never_followed() {
    let server = server(reply("301 Moved Permanently", "location: /elsewhere\r\n", "")).await;
    let answer = local().post(&post(&server.url), ready(())).await.unwrap();
    assert_eq!(answer.status, 301);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn any_status_is_an_answer_and_a_wish_for_patience_is_passed_on() {
    let gone = server(reply("410 Gone", "", "")).await;
    assert_eq!(local().post(&post(&gone.url), ready(())).await.unwrap().status, 410);
    let busy = server(reply("429 Too Many Requests", "retry-after: 30\r\n", "slow down")).await;
    let answer = local().post(&post(&busy.url), ready(())).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (429, Some(SignedDuration::from_secs(30))));
    assert_eq!(answer.body, b"slow down");
}

#[tokio::test]
async fn law_18_an_endless_answer_is_read_a_little_and_dropped() {
    let server = server(Script::Flood).await;
    let answer = local().post(&post(&server.url), ready(())).await.unwrap();
    assert_eq!((answer.status, answer.more, answer.body.len()), (200, true, 16 * 1024));
    // The server ends only when the client has hung up on it.
    server.last.await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_never_answers_may_have_done_it() {
    let server = server(Script::Silence).await;
    let error = impatient().post(&post(&server.url), ready(())).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Ambiguous);
    assert_eq!(server.requests.load(Ordering::SeqCst), 1, "and is not asked twice by the client itself");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_may_have_done_it() {
    for script in [Script::Reset, Script::Say(String::new()), Script::Say("HTTP/1.1 2".to_owned())] {
        let server = server(script).await;
        let error = local().post(&post(&server.url), ready(())).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Ambiguous);
        assert!(!error.message.contains("secret"), "{error}");
        assert_eq!(server.requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn nobody_listening_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/?token=secret", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = local().post(&post(&url), ready(())).await.unwrap_err();
    assert_eq!(error, ActError::retry("the host could not be connected to"));
}

#[tokio::test]
async fn a_failed_tls_handshake_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/?token=secret", listener.local_addr().unwrap())).unwrap();
    let clear_text = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = socket.read(&mut [0; 4096]).await;
    });
    let error = local().post(&post(&url), ready(())).await.unwrap_err();
    assert_eq!(error, ActError::retry("the host did not agree on a secure connection"));
    clear_text.await.unwrap();
}

#[tokio::test]
async fn law_18_a_refused_url_is_never_connected_to() {
    let server = server(reply("200 OK", "", "")).await;
    let strict = client(Guard::Public, system_lookup());
    let error = strict.post(&post(&server.url), ready(())).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Permanent);
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
    let literal = refused_because(&strict, "https://169.254.169.254/latest").await;
    assert_eq!(literal, ActError::permanent("the URL's host must be a public internet address"));
}

#[tokio::test]
async fn law_18_a_name_that_mixes_public_and_private_addresses_is_refused_at_connect_time() {
    let mixed: Lookup = Arc::new(|_| {
        Box::pin(async { Ok(vec!["93.184.216.34".parse().unwrap(), "127.0.0.1".parse().unwrap()]) })
    });
    let error = refused_because(&client(Guard::Public, mixed), "https://hooks.example.com/").await;
    assert_eq!(error, ActError::permanent("the host resolves to an address that is not public"));
}

#[tokio::test]
async fn law_18_a_name_is_looked_up_once_for_a_connection_and_vetted_again_for_the_next() {
    let server = server(reply("200 OK", "connection: close\r\n", "")).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // The first answer is harmless, the later ones lead into the network around: rebinding.
    let rebinding: Lookup = Arc::new(move |_| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { "127.0.0.1" } else { "10.0.0.1" };
        Box::pin(async move { Ok(vec![address.parse().unwrap()]) })
    });
    let http = client(Guard::LoopbackAllowed, rebinding);
    let url = format!("http://hooks.localhost:{}/", server.url.port().unwrap());
    let answer = http.post(&post(&Url::parse(&url).unwrap()), ready(())).await.unwrap();
    assert_eq!((answer.status, asked.load(Ordering::SeqCst)), (200, 1), "what was vetted was connected to");
    let error = refused_because(&http, &url).await;
    assert_eq!(error, ActError::permanent("the host resolves to an address that is not public"));
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn law_18_a_name_server_that_is_silent_means_that_nothing_was_sent() {
    let never: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
    let error = refused_because(&client(Guard::Public, never), "https://hooks.example.com/").await;
    assert_eq!(error, ActError::retry("the host's name could not be resolved in time"));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_tried_again() {
    let broken: Lookup = Arc::new(|_| Box::pin(async { Err(std::io::Error::other("nxdomain")) }));
    let error = refused_because(&client(Guard::Public, broken), "https://hooks.example.com/?key=1").await;
    assert_eq!(error, ActError::retry("the host's name could not be resolved"));
}

#[tokio::test]
async fn what_is_too_large_or_malformed_never_leaves() {
    let server = server(reply("200 OK", "", "")).await;
    let mut large = post(&server.url);
    large.body = vec![b'x'; BODY_MAX + 1];
    assert_eq!(local().post(&large, ready(())).await.unwrap_err().disposition, Disposition::Permanent);
    let mut split = post(&server.url);
    split.headers.push(("webhook-signature".to_owned(), "v1,a\r\nx-evil: 1".to_owned()));
    assert_eq!(local().post(&split, ready(())).await.unwrap_err().disposition, Disposition::Permanent);
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_platforms_answer_is_read_whole() {
    let body = "ö".repeat(100_000);
    let server = server(reply("201 Created", "retry-after: 2\r\n", &body)).await;
    let answer = local().call(get(&server.url)).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (201, Some(SignedDuration::from_secs(2))));
    assert_eq!(answer.body, body.as_bytes());
    let request = String::from_utf8(server.last.await.unwrap()).unwrap();
    assert!(request.starts_with("GET /hook?token=secret HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Basic x"), "{request}");
}

#[tokio::test]
async fn a_platforms_answer_that_breaks_off_or_never_ends_leaves_the_call_undecided() {
    for script in [Script::Flood, Script::Say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_owned())] {
        let server = server(script).await;
        let error = local().call(get(&server.url)).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Ambiguous);
    }
}

#[test]
fn the_client_builds_for_production() {
    assert!(OutboundHttp::new(Guard::Public).is_ok());
}
