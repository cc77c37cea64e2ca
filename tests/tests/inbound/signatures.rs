//! Other people's signature vectors: a channel gets the vector's secret, the vector's exact bytes come in.

use serde_json::{Value, json};
use stagepost_domain::signing::{webhook_key, webhook_signature};
use stagepost_standins::Posted;
use stagepost_tests::World;

use crate::support::{fixture, notification};

/// The vectors of a file; none if it is not there.
fn vectors(file: &str) -> Vec<Value> {
    let Some(path) = fixture(&format!("signatures/{file}")) else { return Vec::new() };
    let bytes = std::fs::read(path).unwrap();
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap_or_else(|| panic!("no {key} in {vector}"))
}

/// Connects something with a secret and gives the path of its notifications.
async fn connect(world: &World, collection: &str, mut input: Value, secret: &str) -> String {
    input["webhook_secret"] = json!(secret);
    input["name"] = json!("Vector");
    let made = world.api.post(collection, &input).await.ok();
    made["inbound_path"].as_str().unwrap().to_owned()
}

async fn send(world: &World, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Posted {
    world.courier.post(path, &notification("vector", headers, body)).await.unwrap()
}

/// A valid vector is let in; over other bytes, or with another secret, or if it is not valid, it is not.
async fn check(world: &World, paths: (&str, &str), headers: &[(&str, &str)], vector: &Value, body: &[u8]) {
    let (path, stranger) = paths;
    let answer = send(world, path, headers, body).await;
    if vector["valid"].as_bool().unwrap() {
        assert_eq!(answer.status, 200, "{vector}");
        let forged = [body, b" "].concat();
        assert_shut(&send(world, path, headers, &forged).await, vector);
        assert_shut(&send(world, stranger, headers, body).await, vector);
    } else {
        assert_shut(&answer, vector);
    }
    assert_shut(&send(world, path, &[], body).await, vector);
}

fn assert_shut(answer: &Posted, vector: &Value) {
    assert_eq!((answer.status, answer.body.as_slice()), (401, &b""[..]), "{vector}");
}

#[tokio::test]
async fn the_vectors_of_shopifys_libraries_hold_over_http() {
    let world = World::start().await;
    let channel = |n: usize| json!({"platform": "shopify", "store": format!("vector-{n}.myshopify.com")});
    let vectors = vectors("shopify_webhook_hmac.json");
    let stranger = connect(&world, "/v1/channels", channel(vectors.len()), "another secret").await;
    for (n, vector) in vectors.iter().enumerate() {
        let path = connect(&world, "/v1/channels", channel(n), text(vector, "secret")).await;
        let headers =
            [("X-Shopify-Hmac-Sha256", text(vector, "expected")), ("X-Shopify-Topic", "orders/create")];
        check(&world, (&path, &stranger), &headers, vector, text(vector, "raw_body").as_bytes()).await;
    }
    kept_but_moved_nothing(&world, &vectors).await;
}

#[tokio::test]
async fn the_vectors_of_woocommerce_hold_over_http_with_secrets_as_entered() {
    let world = World::start().await;
    let channel =
        |n: usize| json!({"platform": "woocommerce", "store": format!("https://vector-{n}.example")});
    let vectors = vectors("woocommerce_webhook_signature.json");
    let stranger = connect(&world, "/v1/channels", channel(vectors.len()), "another secret").await;
    for (n, vector) in vectors.iter().enumerate() {
        let secret = text(vector, "secret_as_entered_or_stored");
        let path = connect(&world, "/v1/channels", channel(n), secret).await;
        let headers =
            [("X-WC-Webhook-Signature", text(vector, "expected")), ("X-WC-Webhook-Topic", "order.updated")];
        check(&world, (&path, &stranger), &headers, vector, text(vector, "raw_body").as_bytes()).await;
    }
    kept_but_moved_nothing(&world, &vectors).await;
}

#[tokio::test]
async fn the_vectors_of_easypost_hold_over_http_in_both_versions() {
    let world = World::start().await;
    let carrier = json!({"kind": "easypost"});
    let stranger = connect(&world, "/v1/carriers", carrier.clone(), "another secret").await;
    let mut body = String::new();
    for vector in vectors("easypost_webhook_hmac.json") {
        if text(&vector, "raw_body") != "(same)" {
            text(&vector, "raw_body").clone_into(&mut body);
        }
        let path = connect(&world, "/v1/carriers", carrier.clone(), text(&vector, "secret")).await;
        let signed: Vec<(&str, &str)> = vector["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(n, v)| (n.as_str(), v.as_str().unwrap()))
            .collect();
        let headers = [signed.as_slice(), &[(text(&vector, "header"), text(&vector, "expected"))]].concat();
        check(&world, (&path, &stranger), &headers, &vector, body.as_bytes()).await;
        for (i, (name, _)) in headers.iter().enumerate() {
            let mut fewer = headers.clone();
            fewer.remove(i);
            assert_shut(&send(&world, &path, &fewer, body.as_bytes()).await, &json!({"without": name}));
        }
    }
}

/// None of the vectors' bodies is an order: authentic, so each stands in quarantine, once.
async fn kept_but_moved_nothing(world: &World, vectors: &[Value]) {
    let valid = vectors.iter().filter(|v| v["valid"] == true).count();
    let quarantine = world.api.get("/v1/quarantine").await.ok();
    assert_eq!(quarantine["items"].as_array().unwrap().len(), valid, "{quarantine}");
    world.settle().await;
    assert!(world.mails().is_empty());
}

#[test]
fn the_vectors_of_standard_webhooks_hold_for_what_we_sign() {
    for vector in vectors("standard_webhooks.json") {
        let key = webhook_key(text(&vector, "secret")).unwrap();
        let at = vector["webhook_timestamp"].as_i64().unwrap();
        let ours =
            webhook_signature(&[key], text(&vector, "webhook_id"), at, text(&vector, "raw_body").as_bytes());
        // A receiver takes the header if any of its entries is the signature that it would make.
        let header = vector["expected"].as_str().or(vector["header"].as_str()).unwrap();
        let accepted = header.split(' ').any(|entry| entry == ours);
        assert_eq!(accepted, vector["valid"].as_bool().unwrap(), "{vector}");
    }
}
