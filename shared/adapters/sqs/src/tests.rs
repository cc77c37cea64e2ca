//! The real SDK against an SQS in this process, and against scripted answers.

use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
use stagepost_app::envelope::Envelope;
use stagepost_app::ports::InboundQueue;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::run::RunId;
use stagepost_domain::shop::Sealed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use winterbaume_core::MockAws;
use winterbaume_sqs::SqsService;

use super::*;

fn base() -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
}

async fn sqs() -> (Client, SqsDoorbell) {
    let mock = MockAws::builder().with_service(SqsService::new()).build();
    let client = client(base().http_client(mock.http_client()));
    let mut urls = Vec::new();
    for name in ["email", "webhook", "fulfillment", "tracker"] {
        let made = client.create_queue().queue_name(name).send().await.unwrap();
        urls.push(made.queue_url.unwrap());
    }
    let mut url = || urls.remove(0);
    let queues =
        Queues { email: url(), webhook: url(), fulfillment: url(), tracker: url(), jobs: String::new() };
    (client.clone(), SqsDoorbell::new(client, queues))
}

fn ring(run: &str, delay: Duration) -> Ring {
    Ring { run: RunId::parse(run).unwrap(), delay }
}

async fn received(client: &Client, queue: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let answer =
            client.receive_message().queue_url(queue).max_number_of_messages(10).send().await.unwrap();
        if answer.messages().is_empty() {
            all.sort();
            return all;
        }
        let runs = answer.messages().iter().map(|m| decode(m.body().unwrap()).unwrap().to_string());
        all.extend(runs);
    }
}

#[tokio::test]
async fn every_run_is_rung_once_on_its_own_queue() {
    let (client, bell) = sqs().await;
    let mut rings: Vec<Ring> =
        (0..23).map(|n| ring(&format!("run_a.{n}.webhook.ep_1.0"), Duration::ZERO)).collect();
    rings.push(ring("run_b.1.email.tmpl_1.0", Duration::ZERO));
    rings.push(ring("run_b.1.fulfill.chan_1.0", Duration::ZERO));
    rings.push(ring("run_b.2.fulfill.none.0", Duration::ZERO));
    rings.push(ring("run_b.2.register_tracker.car_1-pkg_1.0", Duration::ZERO));
    bell.ring(&rings).await.unwrap();
    assert_eq!(received(&client, &bell.queues.email).await, ["run_b.1.email.tmpl_1.0"]);
    assert_eq!(
        received(&client, &bell.queues.fulfillment).await,
        ["run_b.1.fulfill.chan_1.0", "run_b.2.fulfill.none.0"]
    );
    assert_eq!(received(&client, &bell.queues.tracker).await, ["run_b.2.register_tracker.car_1-pkg_1.0"]);
    let mut expected: Vec<String> = (0..23).map(|n| format!("run_a.{n}.webhook.ep_1.0")).collect();
    expected.sort();
    assert_eq!(received(&client, &bell.queues.webhook).await, expected);
}

#[tokio::test]
async fn nothing_to_ring_is_no_call() {
    let unreachable = client(base().endpoint_url("http://127.0.0.1:9"));
    let none = String::new;
    let queues =
        Queues { email: none(), webhook: none(), fulfillment: none(), tracker: none(), jobs: none() };
    SqsDoorbell::new(unreachable, queues).ring(&[]).await.unwrap();
}

#[tokio::test]
async fn a_missing_queue_is_told_and_does_not_keep_the_others_silent() {
    let (client, mut bell) = sqs().await;
    bell.queues.email = bell.queues.email.replace("email", "nowhere");
    let rings =
        [ring("run_b.1.email.tmpl_1.0", Duration::ZERO), ring("run_b.1.webhook.ep_1.0", Duration::ZERO)];
    let error = bell.ring(&rings).await.unwrap_err();
    assert!(error.0.starts_with("1 of 2 messages not sent: email queue: "), "{error}");
    assert_eq!(received(&client, &bell.queues.webhook).await, ["run_b.1.webhook.ep_1.0"]);
}

/// One connection, one answer; gives the request's body.
async fn scripted(answer: &'static str, rings: &[Ring]) -> (serde_json::Value, Result<(), DoorbellError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        loop {
            let mut chunk = [0; 4096];
            let n = socket.read(&mut chunk).await.unwrap();
            assert_ne!(n, 0, "the request broke off");
            seen.extend_from_slice(&chunk[..n]);
            let text = String::from_utf8_lossy(&seen).into_owned();
            let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
            let Ok(body) = serde_json::from_str(body) else { continue };
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n"
            );
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(answer.as_bytes()).await.unwrap();
            return body;
        }
    });
    let http = aws_smithy_http_client::Builder::new().build_http();
    let client = client(base().http_client(http).endpoint_url(&endpoint));
    let url = |name: &str| format!("{endpoint}/000000000000/{name}");
    let queues = Queues {
        email: url("email"),
        webhook: url("webhook"),
        fulfillment: url("fulfillment"),
        jobs: url("jobs"),
        tracker: url("tracker"),
    };
    let result = SqsDoorbell::new(client, queues).ring(rings).await;
    (server.await.unwrap(), result)
}

const TAKEN: &str = r#"{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"x"}],"Failed":[]}"#;

#[tokio::test]
async fn a_batch_that_was_taken_in_part_is_an_error_with_a_count() {
    let answer = r#"{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"x"}],
        "Failed":[{"Id":"1","Code":"InternalError","SenderFault":false}]}"#;
    let rings =
        [ring("run_a.1.email.tmpl_1.0", Duration::ZERO), ring("run_a.2.email.tmpl_1.0", Duration::ZERO)];
    let (_, result) = scripted(answer, &rings).await;
    assert_eq!(result.unwrap_err().0, "1 of 2 messages refused");
}

#[tokio::test]
async fn law_16_a_webhooks_message_group_is_its_endpoint_and_a_parcels_its_carrier_account() {
    let (body, result) =
        scripted(TAKEN, &[ring("run_a.1.webhook.ep_7.0", Duration::from_millis(9_001))]).await;
    result.unwrap();
    let entry = &body["Entries"][0];
    assert_eq!(entry["MessageGroupId"], "ep_7");
    assert_eq!(entry["DelaySeconds"], 10);
    assert_eq!(entry["MessageBody"], r#"{"v":1,"run":"run_a.1.webhook.ep_7.0"}"#);
    let parcel = ring("run_a.1.register_tracker.car_7-pkg_1.0", Duration::ZERO);
    let (body, _) = scripted(TAKEN, &[parcel]).await;
    assert_eq!(body["Entries"][0]["MessageGroupId"], "car_7");
    let (body, _) = scripted(TAKEN, &[ring("run_a.1.email.tmpl_7.0", Duration::ZERO)]).await;
    assert_eq!(body["Entries"][0].get("MessageGroupId"), None);
}

#[test]
fn a_delay_is_rounded_up_and_ends_at_what_a_queue_can_hold() {
    for (wait, seconds) in [
        (Duration::ZERO, 0),
        (Duration::from_millis(1), 1),
        (Duration::from_secs(10), 10),
        (Duration::from_secs(900), 900),
        (Duration::from_hours(20), 900),
        (Duration::MAX, 900),
    ] {
        assert_eq!(delay(wait), seconds, "{wait:?}");
    }
}

fn packed(bytes: usize) -> Envelope {
    let data = (0..bytes).map(|n| (n % 251) as u8).collect();
    Envelope { key: Sealed("v1:key".to_owned()), data }
}

#[tokio::test]
async fn a_packed_arrival_comes_out_of_its_queue_as_it_went_in_up_to_a_mebibyte() {
    let (client, _) = sqs().await;
    let made = client.create_queue().queue_name("inbound").send().await.unwrap();
    let url = made.queue_url.unwrap();
    let queue = SqsInboundQueue::new(client.clone(), url.clone());
    // The text around the base64 has 38 bytes.
    let largest = packed((MESSAGE_MAX - 38) / 4 * 3);
    for envelope in [packed(0), packed(1_000), largest] {
        queue.keep(&envelope).await.unwrap();
        let answer = client.receive_message().queue_url(&url).send().await.unwrap();
        let message = &answer.messages()[0];
        assert_eq!(decode_inbound(message.body().unwrap()), Ok(envelope));
        let handle = message.receipt_handle().unwrap();
        client.delete_message().queue_url(&url).receipt_handle(handle).send().await.unwrap();
    }
    let refused = queue.keep(&packed(MESSAGE_MAX / 4 * 3)).await.unwrap_err();
    assert_eq!(refused.disposition(), Disposition::Permanent);
    let nowhere = SqsInboundQueue::new(client, url.replace("inbound", "nowhere"));
    assert_eq!(nowhere.keep(&packed(1)).await.unwrap_err().disposition(), Disposition::RETRY);
}

#[test]
fn an_inbound_message_of_another_release_or_of_nobody_is_told_apart() {
    assert_eq!(decode_inbound(r#"{"v":2,"parts":[]}"#), Err(BadMessage::Version(2)));
    let long = format!(r#"{{"v":1,"key":"k","data":"{}"}}"#, "A".repeat(MESSAGE_MAX));
    for garbage in
        ["", "null", r#"{"v":1}"#, r#"{"v":1,"key":"k","data":"?"}"#, r#"{"key":"k","data":""}"#, &long]
    {
        assert_eq!(
            decode_inbound(garbage),
            Err(BadMessage::Garbage),
            "{}",
            &garbage[..garbage.len().min(40)]
        );
    }
}
