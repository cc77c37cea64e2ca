use proptest::prelude::*;
use serde_json::{Value, json};
use stagepost_domain::feedback::{Fate, Word};

use super::*;

fn record(kind: &str, more: Value) -> Value {
    let mut record = json!({
        "eventType": kind,
        "mail": {
            "messageId": "m-1", "timestamp": "2026-11-20T17:00:10.000Z", "source": "a@shop.example",
            "destination": ["ada@example.com"],
            "tags": {
                "order": ["ord_0a1b"], "seq": ["2"], "template": ["tmpl_x"], "generation": ["0"],
                "ses:configuration-set": ["stagepost"],
            },
        },
    });
    if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
        record.extend(more);
    }
    record
}

fn bounce(kind: &str) -> Value {
    let recipients = json!([{"emailAddress": "Ada <ada@example.com>", "status": "5.1.1"}]);
    let bounce = json!({"bounceType": kind, "bounceSubType": "General", "bouncedRecipients": recipients,
        "timestamp": "2026-11-20T17:00:12.000Z"});
    record("Bounce", json!({"bounce": bounce}))
}

#[test]
fn each_kind_of_record_is_read_for_what_it_says() {
    let at = json!({"timestamp": "2026-11-20T17:00:12.000Z"});
    let complaint = json!({"complainedRecipients": [{"emailAddress": "ada@example.com"}]});
    let rejected = Word::Rejected { reason: "Bad content".to_owned() };
    for (record, word, addresses) in [
        (record("Send", json!({"send": {}})), Word::Sent, 0),
        (record("Delivery", json!({"delivery": at})), Word::Fate(Fate::Delivered), 0),
        (record("DeliveryDelay", json!({"deliveryDelay": at})), Word::Fate(Fate::Delayed), 0),
        (record("Reject", json!({"reject": {"reason": "Bad content"}})), rejected, 0),
        (bounce("Permanent"), Word::Fate(Fate::HardBounced), 1),
        (bounce("Transient"), Word::Fate(Fate::SoftBounced), 1),
        (bounce("Undetermined"), Word::Fate(Fate::SoftBounced), 1),
        (record("Complaint", json!({"complaint": complaint})), Word::Fate(Fate::Complained), 1),
    ] {
        let plain = read(&record.to_string()).unwrap().unwrap();
        assert_eq!((&plain.word, plain.addresses.len()), (&word, addresses), "{record}");
        assert!(plain.addresses.iter().all(|a| a == "ada@example.com"), "{:?}", plain.addresses);
        assert_eq!(
            (plain.run.to_string().as_str(), plain.message.as_str()),
            ("run_0a1b.2.email.tmpl_x.0", "m-1")
        );
        // As it comes without raw delivery.
        let enveloped = json!({"Type": "Notification", "Message": record.to_string()}).to_string();
        assert_eq!(read(&enveloped).unwrap().unwrap(), plain);
    }
}

#[test]
fn what_is_not_of_our_runs_is_left_alone_and_what_is_no_record_is_told_apart() {
    let mut others = record("Delivery", json!({"delivery": {}}));
    others["mail"]["tags"] = json!({"test": ["test_1"]});
    assert_eq!(read(&others.to_string()), Ok(None), "a test mail's");
    // Identity feedback has no tags, and another name for its kind.
    let mut identity = record("Delivery", json!({}));
    identity["notificationType"] = json!("Delivery");
    identity.as_object_mut().unwrap().remove("eventType");
    assert_eq!(read(&identity.to_string()), Err(Unreadable));
    for kind in ["Open", "Click", "Rendering Failure", "Subscription"] {
        assert_eq!(read(&record(kind, json!({})).to_string()), Ok(None), "{kind}");
    }
    for garbage in ["", "{}", "[]", "null", "{\"Message\":\"x\"}"] {
        assert_eq!(read(garbage), Err(Unreadable), "{garbage}");
    }
}

proptest! {
    #[test]
    fn no_message_panics(body in "\\PC{0,200}|\\{\"eventType\":\\PC{0,80}") {
        let _ = read(&body);
    }
}
