//! Every way in which a receiver can take a message, over HTTP: what becomes of the run, what is logged, who is
//! told (laws 11 and 16).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_domain::health::TRIED_AT_ONCE;
use stagepost_standins::{Ends, RawReceiver, Received, Says};
use stagepost_tests::World;
use standardwebhooks::Webhook;

const HOUR: i64 = 3_600;
/// Longer than a call may take here.
const LONG: Duration = Duration::from_secs(20);

/// A world whose endpoint is a receiver that can be told to do anything.
async fn world() -> (World, RawReceiver) {
    let world = World::start_with(|config| config.call_timeout = Duration::from_secs(2)).await;
    let receiver = RawReceiver::start(Arc::new(world.clock.clone())).await.unwrap();
    save(&world, &json!({"name": "ERP", "url": receiver.url()})).await;
    (world, receiver)
}

fn path(world: &World, rest: &str) -> String {
    format!("/v1/webhook-endpoints/{}{rest}", world.ids.endpoint)
}

async fn save(world: &World, endpoint: &Value) -> Value {
    world.api.put(&path(world, ""), endpoint).await.ok()
}

async fn endpoint(world: &World) -> Value {
    world.api.get(&path(world, "")).await.ok()
}

/// An order that calls the endpoint now.
async fn call(world: &World, external_id: &str) -> String {
    let order = json!({"external_id": external_id, "flow": world.ids.flow, "customer": {"name": "Grace"}});
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    world.move_to(&id, "Printing").await.ok();
    world.settle().await;
    id
}

async fn run(world: &World, order: &str) -> Value {
    world.runs_of(order, "webhook").await[0].clone()
}

async fn attempts(world: &World, run: &Value) -> Vec<Value> {
    let listed = world.api.get(&format!("/v1/runs/{}/attempts", run["id"].as_str().unwrap())).await.ok();
    listed["items"].as_array().unwrap().clone()
}

/// Whether the official library takes the call with this secret. (Its `verify` compares times with the machine's
/// clock, which these tests do not run on; this is the rest of it.)
fn verifies(secret: &str, call: &Received) -> bool {
    let time = call.header("webhook-timestamp").unwrap().parse().unwrap();
    let id = call.header("webhook-id").unwrap();
    let own = Webhook::new(secret).unwrap().sign(id, time, &call.body).unwrap();
    call.header("webhook-signature").unwrap().split(' ').any(|signature| signature == own)
}

/// How a receiver behaves once, and what is to come of it.
struct Case {
    says: Says,
    /// State of the run.
    state: &'static str,
    status: Option<u16>,
    /// Part of the error; nothing for none.
    error: &'static str,
    /// Whether the endpoint rests.
    rests: bool,
}

fn takes(says: Says) -> Case {
    let status = std::str::from_utf8(&says.bytes[9..12]).unwrap().parse().unwrap();
    Case { says, state: "succeeded", status: Some(status), error: "", rests: false }
}

fn fails(says: Says, status: Option<u16>, error: &'static str) -> Case {
    Case { says, state: "pending", status, error, rests: false }
}

fn cases() -> Vec<Case> {
    let no = |line: &str| Says::status(line, "", b"no");
    let busy = |line: &str, after: &str| Says::status(line, &format!("retry-after: {after}\r\n"), b"");
    let part = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    vec![
        takes(no("200 OK")),
        takes(Says::status("204 No Content", "", b"")),
        takes(Says::status("200 OK", "", &vec![b'x'; 5 * 1024 * 1024])),
        takes(Says::raw(part, Ends::HalfClosed)),
        takes(Says::raw(part, Ends::Reset)),
        fails(
            Says::status("301 Moved", "location: /elsewhere\r\n", b""),
            Some(301),
            "redirects are not followed",
        ),
        fails(no("400 Bad Request"), Some(400), "the receiver refuses the message"),
        fails(no("401 Unauthorized"), Some(401), "check its secret"),
        fails(no("404 Not Found"), Some(404), "check the endpoint's address"),
        fails(no("500 Oops"), Some(500), "HTTP 500"),
        fails(Says::raw("", Ends::Open), None, "no answer in time"),
        fails(Says::raw("HTTP/1.1 2", Ends::Open), None, "no answer in time"),
        fails(Says::raw(b"\x00\xff\x16 not HTTP\r\n\r\n", Ends::Closed), None, "broke"),
        fails(Says::raw("", Ends::Reset), None, "broke"),
        fails(Says::raw("", Ends::HalfClosed), None, "broke"),
        Case { rests: true, ..fails(busy("429 Slow", "120"), Some(429), "HTTP 429") },
        Case { rests: true, ..fails(busy("503 Away", "soon"), Some(503), "HTTP 503") },
        Case { state: "failed", ..fails(no("410 Gone"), Some(410), "wants no more") },
    ]
}

#[tokio::test]
async fn law_11_every_way_of_taking_a_message_ends_as_it_should_and_is_logged() {
    for case in cases() {
        let what = String::from_utf8_lossy(&case.says.bytes[..case.says.bytes.len().min(40)]).into_owned();
        let (world, receiver) = world().await;
        receiver.then(case.says.clone());
        let order = call(&world, "1").await;
        assert!(receiver.reached(1, LONG).await, "{what}");
        world.settle().await;
        let first = run(&world, &order).await;
        assert_eq!(first["state"], case.state, "{what}: {first}");
        let log = attempts(&world, &first).await;
        assert_eq!((log.len(), &log[0]["status"]), (1, &json!(case.status)), "{what}");
        assert!(log[0]["error"].as_str().unwrap_or_default().contains(case.error), "{what}: {}", log[0]);
        assert_eq!(log[0]["error"].is_null(), case.error.is_empty(), "{what}");
        assert!(log[0]["response_body"].as_str().unwrap().len() <= 2_048, "{what}");
        let shown = endpoint(&world).await;
        assert_eq!(shown["enabled"], json!(case.state != "failed"), "{what}");
        assert_eq!(shown["failing"]["cooling_until"].is_string(), case.rests, "{what}: {shown}");
        // The next one that it takes is the same, and its library verifies both.
        for _ in 0..4 {
            if run(&world, &order).await["state"] == "pending" {
                world.pass(HOUR).await;
            }
        }
        let calls = receiver.received();
        assert_eq!(calls.len(), if case.state == "pending" { 2 } else { 1 }, "{what}");
        for call in &calls {
            assert!(verifies(&world.ids.endpoint_secret, call), "{what}");
            assert_eq!(call.header("webhook-id"), calls[0].header("webhook-id"));
            assert_eq!(call.body, calls[0].body);
        }
        let last = if case.state == "failed" { "failed" } else { "succeeded" };
        assert_eq!(run(&world, &order).await["state"], last, "{what}");
        if last == "succeeded" {
            assert_eq!(endpoint(&world).await["failing"], Value::Null, "{what}: it is well again");
        }
    }
}

#[tokio::test]
async fn law_11_a_message_that_fails_while_its_secret_is_rotated_is_verified_with_either() {
    let (world, receiver) = world().await;
    receiver.then(Says::status("500 Oops", "", b""));
    let order = call(&world, "1").await;
    let rotated = world.api.post(&path(&world, "/rotate-secret"), &json!({})).await.ok();
    world.pass(10).await;
    assert_eq!(run(&world, &order).await["state"], "succeeded");
    let calls = receiver.received();
    let (old, new) = (&world.ids.endpoint_secret, rotated["secret"].as_str().unwrap());
    assert!(verifies(old, &calls[0]) && !verifies(new, &calls[0]));
    assert!(verifies(old, &calls[1]) && verifies(new, &calls[1]));
}

#[tokio::test]
async fn law_19_the_log_shows_both_sides_without_their_secrets_newest_first_by_pages() {
    let (world, receiver) = world().await;
    let headers = "server: nginx\r\nset-cookie: session=abc\r\n";
    receiver.then(Says::status("500 Oops", headers, b"a stack trace"));
    let order = call(&world, "1").await;
    world.pass(10).await;
    call(&world, "2").await;
    let log = attempts(&world, &run(&world, &order).await).await;
    assert_eq!((log.len(), &log[1]["number"], &log[0]["number"]), (2, &json!(1), &json!(2)));
    let first = &log[1];
    assert_eq!((&first["response_body"], &first["response_cut"]), (&json!("a stack trace"), &json!(false)));
    assert_eq!(first["response_headers"]["server"], "nginx");
    assert_eq!(first["response_headers"]["set-cookie"], "[redacted]");
    assert_eq!(first["request_headers"]["webhook-signature"], "[redacted]");
    assert!(first["request_headers"]["webhook-id"].as_str().unwrap().starts_with("msg_"));
    let (mut next, mut seen) = (String::new(), Vec::new());
    loop {
        let page = world.api.get(&path(&world, &format!("/attempts?limit=2{next}"))).await.ok();
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(seen.iter().map(|a| a["status"].as_u64().unwrap()).collect::<Vec<_>>(), [200, 200, 500]);
    world.pass(31 * 24 * HOUR).await;
    assert_eq!(attempts(&world, &run(&world, &order).await).await.len(), 0);
}

#[tokio::test]
async fn law_16_while_a_receiver_rests_its_runs_are_put_off_without_a_call_or_an_attempt() {
    let (world, receiver) = world().await;
    receiver.then(Says::status("429 Slow", "retry-after: 600\r\n", b""));
    let first = call(&world, "1").await;
    let mut others = Vec::new();
    for n in 2..6 {
        others.push(call(&world, &n.to_string()).await);
    }
    world.pass(300).await;
    assert_eq!(receiver.received().len(), 1);
    for order in &others {
        let run = run(&world, order).await;
        assert_eq!((&run["state"], &run["attempts"]), (&json!("pending"), &json!(0)));
        assert!(run["last_error"].as_str().unwrap().contains("busy or away"), "{run}");
    }
    world.pass(300).await;
    for _ in 0..4 {
        world.pass(61).await;
    }
    assert_eq!(receiver.received().len(), 6, "the first one twice");
    for order in others.iter().chain([&first]) {
        assert_eq!(run(&world, order).await["state"], "succeeded");
    }
}

#[tokio::test]
async fn an_endpoint_that_only_fails_is_switched_off_after_five_days_of_warnings_and_recovers() {
    let (world, receiver) = world().await;
    let settings = json!({"notify_email": "dev@paperboat.example"}).to_string().into_bytes();
    world.api.send("PATCH", "/v1/settings", Some(settings)).await.ok();
    for _ in 0..1_000 {
        receiver.then(Says::status("500 Oops", "", b""));
    }
    let mut orders = Vec::new();
    let mut percents = BTreeSet::new();
    for half_day in 0..11 {
        orders.push(call(&world, &half_day.to_string()).await);
        let shown = endpoint(&world).await;
        assert_eq!(shown["enabled"], json!(half_day < 10), "{half_day}: {shown}");
        percents
            .extend(shown["failing"]["notices"].as_array().unwrap().iter().map(|n| n["percent"].as_u64()));
        for _ in 0..3 {
            world.pass(4 * HOUR).await;
        }
    }
    assert_eq!(percents, [Some(50), Some(90), Some(100)].into());
    assert_eq!(endpoint(&world).await["disabled_reason"], "kept_failing");
    let told: Vec<_> = world.mails().into_iter().filter(|m| m.to == "dev@paperboat.example").collect();
    assert_eq!(told.len(), 3, "once each");
    assert!(told[0].subject.contains("is failing") && told[2].subject.contains("is switched off"));
    assert!(told.iter().all(|m| m.text.as_deref().unwrap_or_default().contains("HTTP 500")));
    let before = receiver.received().len();
    let last = call(&world, "late").await;
    for _ in 0..10 {
        world.pass(10 * HOUR).await;
    }
    assert_eq!(receiver.received().len(), before, "nothing is sent there");
    assert_eq!(run(&world, &last).await["state"], "failed");

    let mended = RawReceiver::start(Arc::new(world.clock.clone())).await.unwrap();
    let again = save(&world, &json!({"name": "ERP", "url": mended.url(), "enabled": true})).await;
    assert_eq!((&again["enabled"], &again["failing"]), (&json!(true), &Value::Null));
    let recovery = &again["recovery"];
    assert_eq!((&recovery["failed"], &recovery["more"]), (&json!(12), &json!(false)), "{recovery}");
    world.api.post(recovery["path"].as_str().unwrap(), &recovery["body"]).await.ok();
    // A few at a time, until it has taken one.
    for _ in 0..6 {
        world.pass(61).await;
    }
    assert_eq!(mended.received().len(), 12);
    assert_eq!(run(&world, &last).await["state"], "succeeded");
}

#[tokio::test]
async fn a_test_message_goes_the_way_of_all_messages_and_says_where_to_look() {
    let (world, receiver) = world().await;
    let job = world.api.post(&path(&world, "/test"), &json!({})).await;
    assert_eq!((job.status, &job.body["kind"]), (202, &json!("test")));
    world.pass(61).await;
    let sent = receiver.received();
    assert_eq!(sent.len(), 1);
    assert!(verifies(&world.ids.endpoint_secret, &sent[0]));
    let body: Value = serde_json::from_slice(&sent[0].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["endpoint"]["name"]), (&json!("endpoint.test"), &json!("ERP")));
    let jobs = format!("/v1/jobs/{}", job.body["id"].as_str().unwrap());
    assert_eq!(world.api.get(&jobs).await.ok()["state"], "done");
    let log = world.api.get(&path(&world, "/attempts")).await.ok();
    assert_eq!((&log["items"][0]["job"], &log["items"][0]["run"]), (&job.body["id"], &Value::Null));

    receiver.then(Says::status("401 Unauthorized", "", b"who are you?"));
    let job = world.api.post(&path(&world, "/test"), &json!({})).await.ok();
    world.pass(61).await;
    let job = world.api.get(&format!("/v1/jobs/{}", job["id"].as_str().unwrap())).await.ok();
    assert_eq!((&job["state"], receiver.received().len()), (&json!("failed"), 2), "once");
    assert!(job["last_error"].as_str().unwrap().contains("HTTP 401"), "{job}");
    let log = world.api.get(&path(&world, "/attempts")).await.ok();
    assert_eq!(log["items"][0]["response_body"], "who are you?");
}

#[tokio::test]
async fn law_19_own_headers_go_with_every_call_and_are_never_shown() {
    let (world, receiver) = world().await;
    let endpoint = |headers: Value| json!({"name": "ERP", "url": receiver.url(), "headers": headers});
    let saved = save(&world, &endpoint(json!({"Authorization": "Bearer s3cret", "X-Warehouse": "7"}))).await;
    assert_eq!(saved["headers"], json!(["authorization", "x-warehouse"]));
    let order = call(&world, "1").await;
    let sent = receiver.received().pop().unwrap();
    assert_eq!(
        (sent.header("authorization"), sent.header("x-warehouse")),
        (Some("Bearer s3cret"), Some("7"))
    );
    assert!(verifies(&world.ids.endpoint_secret, &sent));
    let log = attempts(&world, &run(&world, &order).await).await;
    assert!(!log[0].to_string().contains("s3cret"), "{}", log[0]);
    // Null keeps what is there, what is left out goes, and no word of them leaves them all.
    let kept = save(&world, &endpoint(json!({"authorization": null}))).await;
    assert_eq!(kept["headers"], json!(["authorization"]));
    save(&world, &json!({"name": "ERP", "url": receiver.url()})).await;
    call(&world, "2").await;
    let sent = receiver.received().pop().unwrap();
    assert_eq!((sent.header("authorization"), sent.header("x-warehouse")), (Some("Bearer s3cret"), None));
    let many: serde_json::Map<_, _> = (0..11).map(|n| (format!("x-{n}"), json!("v"))).collect();
    for bad in [
        json!({"webhook-signature": "v1,a"}),
        json!({"host": "evil.example"}),
        json!({"x-": "v"}),
        json!({"x-a b": "v"}),
        json!({"x-a": "v\r\nhost: evil"}),
        json!({"x-a": ""}),
        json!({"x-a": "ä"}),
        json!({"x-a": "v".repeat(1_001)}),
        json!({"x-a": "v", "X-A": "w"}),
        json!({"x-new": null}),
        Value::Object(many),
    ] {
        let refused = world.api.put(&path(&world, ""), &endpoint(bad.clone())).await;
        assert_eq!(refused.status, 422, "{bad}: {}", refused.body);
        assert!(
            refused.body["errors"][0]["field"].as_str().unwrap().starts_with("headers"),
            "{}",
            refused.body
        );
    }
}

/// A flow whose stages each call an endpoint of their own on this receiver.
async fn calling_flow(world: &World, name: &str, url: &str, stages: usize) -> (String, Vec<String>) {
    let (mut all, mut names) = (Vec::new(), Vec::new());
    for n in 0..stages {
        let endpoint = json!({"name": format!("{name} {n}"), "url": format!("{url}/{n}")});
        let made = world.api.post("/v1/webhook-endpoints", &endpoint).await.ok();
        names.push(format!("{name} {n}"));
        let calls = json!({"webhook": {"enabled": true, "endpoint": made["id"]}});
        all.push(json!({"name": names[n], "automations": calls}));
    }
    let flow = json!({"name": name, "stages": all, "default_stage": names[0]});
    let made = world.api.post("/v1/flows", &flow).await.ok();
    (made["id"].as_str().unwrap().to_owned(), names)
}

async fn order_in(world: &World, flow: &str, n: usize) -> String {
    let order = json!({"external_id": format!("{flow}-{n}"), "flow": flow});
    world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn law_16_one_black_hole_beside_fifty_healthy_endpoints_holds_none_of_them_up_and_costs_a_call_at_a_time()
 {
    const WAITING: usize = 20;
    let world = World::start_with(|config| config.call_timeout = Duration::from_secs(3)).await;
    let hole = RawReceiver::start(Arc::new(world.clock.clone())).await.unwrap();
    for _ in 0..1_000 {
        hole.then(Says::raw("", Ends::Open));
    }
    let (dead, _) = calling_flow(&world, "dead", &hole.url(), 1).await;
    let (alive, stages) = calling_flow(&world, "alive", &world.receiver.url(), 50).await;
    for n in 0..WAITING {
        order_in(&world, &dead, n).await;
    }
    assert!(hole.reached(1, LONG).await);
    for (n, stage) in stages.iter().enumerate() {
        let order = order_in(&world, &alive, n).await;
        if n > 0 {
            world.move_to(&order, stage).await.ok();
        }
    }
    let received = world.receiver.wait_for(50 + 49, LONG).await.unwrap();
    let paths: BTreeSet<&str> = received.iter().map(|r| r.path.as_str()).collect();
    assert_eq!(paths.len(), 50);
    // A few at once before anybody knew, and once more when the first of them were given up; then one at a time.
    world.settle().await;
    let first = hole.received().len();
    assert!(first <= 2 * TRIED_AT_ONCE, "{first}");
    for _ in 0..3 {
        world.pass(61).await;
    }
    let probes = hole.received().len() - first;
    assert!((1..=3).contains(&probes), "{probes} calls of {WAITING} runs that are due");
}
