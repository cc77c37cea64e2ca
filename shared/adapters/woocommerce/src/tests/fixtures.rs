//! Recorded notifications and signatures, where they are present; elsewhere these tests pass quietly.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stagepost_app::inbound::Reading;
use stagepost_domain::fact::{Coverage, Fact, OrderFact};
use stagepost_domain::order::Lifecycle;
use stagepost_domain::signing::{base64_hmac_matches, woocommerce_key};

use super::{at, channel};
use crate::{is_ping, read};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/fixtures")
}

fn files(folder: &str) -> Vec<(String, Value)> {
    let Ok(entries) = std::fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .filter_map(|e| {
            let path = e.ok()?.path();
            let json = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            (path.extension()? == "json")
                .then(|| (path.file_name().unwrap().to_string_lossy().into_owned(), json))
        })
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

struct Capture {
    name: String,
    json: Value,
    body: Vec<u8>,
}

impl Capture {
    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.json["headers"].as_array()?;
        let header = headers.iter().find(|h| h[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
        header[1].as_str()
    }
}

fn captures() -> Vec<Capture> {
    ["woocommerce-live/webhooks", "woocommerce-live/10.5/webhooks"]
        .iter()
        .flat_map(|folder| files(folder))
        .map(|(name, json)| {
            let body = STANDARD.decode(json["body_base64"].as_str().unwrap()).unwrap();
            Capture { name, json, body }
        })
        .collect()
}

#[test]
fn every_recorded_delivery_is_read_for_what_it_is() {
    let now = at("2026-11-22T12:00:00Z");
    for capture in captures() {
        let name = &capture.name;
        let Some(topic) = capture.header("X-WC-Webhook-Topic") else {
            let ping = is_ping(capture.header("content-type"), false, &capture.body);
            assert_eq!(ping, name.contains("ping"), "{name}");
            continue;
        };
        assert!(!is_ping(capture.header("content-type"), true, &capture.body), "{name}");
        let body: Value = serde_json::from_slice(&capture.body).unwrap();
        match read(topic, &channel(), &capture.body, now) {
            Reading::UnknownTopic => assert!(!topic.starts_with("order."), "{name}"),
            Reading::Unreadable { reason } => {
                assert!(reason.contains(body["code"].as_str().unwrap()), "{name}")
            }
            Reading::NoOp(_) => assert_eq!(body["status"], "checkout-draft", "{name}"),
            Reading::Fact { fact: Fact::Order(fact), .. } => agrees(name, &fact, &body),
            Reading::Fact { fact: Fact::Trashed, .. } => assert_eq!(topic, "order.deleted", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

fn agrees(name: &str, fact: &OrderFact, body: &Value) {
    let status = body["status"].as_str().unwrap();
    let all_left = matches!(status, "completed" | "shipped");
    assert_eq!(fact.fulfillment.coverage == Coverage::Complete, all_left, "{name}");
    assert_eq!(
        fact.lifecycle == Lifecycle::Open,
        !matches!(status, "trash" | "cancelled" | "refunded" | "failed"),
        "{name}"
    );
    assert_eq!(fact.lifecycle == Lifecycle::Trashed, status == "trash", "{name}");
    let gmt = format!("{}Z", body["date_modified_gmt"].as_str().unwrap());
    assert_eq!(fact.updated_at, Some(at(&gmt)), "{name}");
    if let Some(done) = body["date_completed_gmt"].as_str().filter(|_| status == "completed") {
        assert_eq!(fact.fulfillment.shipments[0].id.0, format!("completed@{done}Z"), "{name}");
    }
    let mail = body["billing"]["email"].as_str().filter(|e| !e.is_empty());
    assert_eq!(fact.snapshot.customer.email.as_deref(), mail, "{name}");
    assert_eq!(fact.snapshot.line_count as usize, body["line_items"].as_array().unwrap().len(), "{name}");
    let kept = format!("{fact:?}");
    assert!(
        !kept.contains(body["order_key"].as_str().filter(|k| !k.is_empty()).unwrap_or("wc_order_")),
        "{name}"
    );
}

#[test]
fn every_recorded_signature_matches_over_the_raw_body_with_the_decoded_secret() {
    for capture in captures() {
        let Some(header) = capture.header("X-WC-Webhook-Signature") else { continue };
        let secret = woocommerce_key(capture.json["secret"].as_str().unwrap());
        let matches = |body: &[u8]| base64_hmac_matches([secret.as_str()].into_iter(), body, Some(header));
        assert!(matches(&capture.body), "{}", capture.name);
        let mut forged = capture.body.clone();
        forged.push(b' ');
        assert!(!matches(&forged), "{}", capture.name);
    }
}

#[test]
fn signature_vectors_hold() {
    let Ok(bytes) = std::fs::read(root().join("signatures/woocommerce_webhook_signature.json")) else {
        return;
    };
    let vectors: Value = serde_json::from_slice(&bytes).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let secret = woocommerce_key(vector["secret_as_entered_or_stored"].as_str().unwrap());
        assert_eq!(secret, vector["key_used"].as_str().unwrap());
        let body = vector["raw_body"].as_str().unwrap().as_bytes();
        let valid = base64_hmac_matches([secret.as_str()].into_iter(), body, vector["expected"].as_str());
        assert_eq!(valid, vector["valid"].as_bool().unwrap(), "{vector}");
        assert!(!base64_hmac_matches(["another"].into_iter(), body, vector["expected"].as_str()));
    }
}

#[test]
fn the_documentation_s_orders_are_read_and_its_errors_are_not() {
    for (name, body) in files("woocommerce") {
        let raw = body.to_string();
        let read = read("order.updated", &channel(), raw.as_bytes(), at("2026-11-22T12:00:00Z"));
        let order = matches!(
            name.as_str(),
            "docs_order_created_processing.json" | "docs_order_updated_completed.json"
        );
        match read {
            Reading::Fact { fact: Fact::Order(_), .. } => assert!(order, "{name}"),
            Reading::Unreadable { .. } => assert!(!order, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}
