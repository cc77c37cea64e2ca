//! The SDK as we configure it, against a hand-written server on loopback.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_sesv2::config::{BehaviorVersion, Builder, Credentials, Region};
use stagepost_domain::disposition::Disposition;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

struct Server {
    mailer: SesMailer,
    requests: Arc<AtomicUsize>,
    body: JoinHandle<serde_json::Value>,
}

/// What the failure of sending means for the mail.
async fn failed(server: &Server, mail: &Mail) -> Disposition {
    match server.mailer.send(mail).await {
        Err(MailError::Failed(error)) => error.disposition,
        Err(MailError::TooFast { after, .. }) => Disposition::Retry { after: Some(after) },
        other => panic!("{other:?}"),
    }
}

fn mailer(endpoint: &str) -> SesMailer {
    let base = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint);
    SesMailer::new(client(base), Some("stagepost".to_owned()))
}

/// Answers every request with `reply`; an empty one closes the connection.
async fn ses(reply: &'static str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let body = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let body = play(socket, reply).await;
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                play(socket, reply).await;
            }
        });
        body
    });
    Server { mailer: mailer(&endpoint), requests, body }
}

async fn play(mut socket: TcpStream, reply: &str) -> serde_json::Value {
    let mut seen = Vec::new();
    let body = loop {
        let mut chunk = [0; 4096];
        let n = socket.read(&mut chunk).await.unwrap();
        seen.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        if let Some(body) = body {
            break body;
        }
        assert_ne!(n, 0, "the request broke off");
    };
    let _ = socket.write_all(reply.as_bytes()).await;
    body
}

fn mail() -> Mail {
    Mail {
        from: "Café Größe <shop@example.com>".to_owned(),
        reply_to: Some("help@example.com".to_owned()),
        to: "anna@example.com".to_owned(),
        subject: "Your order #1001\r\nis on its way 🎁".to_owned(),
        html: Some("<p>Grüße</p>".to_owned()),
        text: Some("Grüße".to_owned()),
        tags: BTreeMap::from([
            ("order".to_owned(), "#1001".to_owned()),
            ("run".to_owned(), "run_1.2.email".to_owned()),
            ("empty".to_owned(), String::new()),
        ]),
        configuration_set: None,
    }
}

const SENT: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"MessageId\":\"m-01\"}";

#[tokio::test]
async fn a_mail_leaves_in_utf8_with_an_encoded_sender_and_clean_tags() {
    let server = ses(SENT).await;
    assert_eq!(server.mailer.send(&mail()).await.unwrap(), "m-01");
    let sent = server.body.await.unwrap();
    assert_eq!(
        sent,
        serde_json::json!({
            "FromEmailAddress": from_header("Café Größe", "shop@example.com"),
            "ReplyToAddresses": ["help@example.com"],
            "Destination": { "ToAddresses": ["anna@example.com"] },
            "Content": { "Simple": {
                "Subject": { "Data": "Your order #1001  is on its way 🎁", "Charset": "UTF-8" },
                "Body": {
                    "Html": { "Data": "<p>Grüße</p>", "Charset": "UTF-8" },
                    "Text": { "Data": "Grüße", "Charset": "UTF-8" },
                },
            }},
            "EmailTags": [
                { "Name": "order", "Value": "-1001" },
                { "Name": "run", "Value": "run_1-2-email" },
            ],
            "ConfigurationSetName": "stagepost",
        })
    );
}

#[tokio::test]
async fn a_shops_own_configuration_set_comes_before_the_deployments() {
    let server = ses(SENT).await;
    let own = Mail { configuration_set: Some("shop-a".to_owned()), ..mail() };
    server.mailer.send(&own).await.unwrap();
    assert_eq!(server.body.await.unwrap()["ConfigurationSetName"], "shop-a");
}

#[tokio::test]
async fn law_11_the_sdk_itself_never_sends_a_mail_twice() {
    for (reply, expected) in [
        ("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", Disposition::Ambiguous),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}", Disposition::Ambiguous),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Disposition::Ambiguous),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot json!", Disposition::Ambiguous),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"Mess", Disposition::Ambiguous),
        ("", Disposition::Ambiguous),
        (
            "HTTP/1.1 429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException\r\n\
             content-length: 2\r\n\r\n{}",
            Disposition::Retry { after: Some(stagepost_domain::SignedDuration::from_secs(5)) },
        ),
        (
            "HTTP/1.1 429 Too Many Requests\r\nx-amzn-errortype: TooManyRequestsException\r\n\
             content-length: 43\r\n\r\n{\"message\":\"Daily message quota exceeded.\"} ",
            Disposition::Retry { after: Some(stagepost_domain::SignedDuration::from_hours(1)) },
        ),
        (
            "HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: MessageRejected\r\ncontent-length: 2\r\n\r\n{}",
            Disposition::Permanent,
        ),
    ] {
        let server = ses(reply).await;
        assert_eq!(failed(&server, &mail()).await, expected, "{reply}");
        assert_eq!(server.requests.load(Ordering::SeqCst), 1, "{reply}");
    }
}

#[tokio::test]
async fn a_paused_account_is_told_apart_from_a_mail_that_failed() {
    let reply =
        "HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: SendingPausedException\r\ncontent-length: 2\r\n\r\n{}";
    let error = ses(reply).await.mailer.send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailError::Paused { .. }), "{error:?}");
}

#[tokio::test]
async fn law_11_not_connected_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = mailer(&endpoint).send(&mail()).await.unwrap_err();
    assert_eq!(error, ActError::retry("SES could not be connected to").into());
}

#[tokio::test]
async fn a_mail_to_nobody_or_without_text_never_leaves() {
    let server = ses(SENT).await;
    let crowd = Mail { to: "a@example.com, b@example.com".to_owned(), ..mail() };
    assert_eq!(failed(&server, &crowd).await, Disposition::Permanent);
    let blank = Mail { html: None, text: None, ..mail() };
    assert_eq!(failed(&server, &blank).await, Disposition::Permanent);
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}

async fn sender_check(reply: &'static str) -> Result<stagepost_app::mail::ports::SenderState, ActError> {
    use stagepost_app::mail::ports::SenderCheck;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut seen = [0; 4096];
            let _ = socket.read(&mut seen).await;
            let _ = socket.write_all(reply.as_bytes()).await;
        }
    });
    SesSenders::new(mailer(&endpoint).client).sender("hello@shop.example").await
}

#[tokio::test]
async fn a_sender_is_checked_by_its_address_and_its_domain() {
    use stagepost_app::mail::ports::SenderState;
    for (reply, state) in [
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 34\r\n\r\n{\"VerifiedForSendingStatus\": true}",
            Ok(SenderState::Verified),
        ),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 33\r\n\r\n{\"VerificationStatus\": \"PENDING\"} ",
            Ok(SenderState::Pending),
        ),
        (
            "HTTP/1.1 404 Not Found\r\nx-amzn-errortype: NotFoundException\r\nconnection: close\r\n\
             content-length: 2\r\n\r\n{}",
            Ok(SenderState::Unknown),
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nx-amzn-errortype: AccessDeniedException\r\nconnection: close\r\n\
             content-length: 2\r\n\r\n{}",
            Ok(SenderState::NotAllowed),
        ),
        ("HTTP/1.1 500 Oops\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", Err(Disposition::RETRY)),
    ] {
        assert_eq!(sender_check(reply).await.map_err(|e| e.disposition), state, "{reply}");
    }
}
