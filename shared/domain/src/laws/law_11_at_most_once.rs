//! Law 11: webhooks at least once, mails at most once.

use jiff::SignedDuration;

use super::scene::{Scene, attempt, endpoint, shopify, t};
use crate::disposition::Disposition;
use crate::event::Action;
use crate::id::OrderId;
use crate::run::{AttemptOutcome, Claim, Run, RunId, RunKey, RunState, Target};
use crate::signing::{webhook_key, webhook_secret, webhook_signature};
use crate::webhook::EventType;
use crate::webhook::{body, message_id};

const LEASE: SignedDuration = SignedDuration::from_secs(60);

#[test]
fn law_11_a_silent_mail_becomes_uncertain_and_is_never_claimed_again() {
    let claim = |run: &Run, name: &str, at| run.claim(Action::Email, &attempt(name), t(at), LEASE);
    let Claim::Granted(held) = claim(&Run::pending(t(0), 1), "a", 0) else { panic!() };
    assert_eq!(claim(&held, "b", 59), Claim::Held { until: t(60) });
    let Claim::InDoubt(doubt) = claim(&held, "b", 60) else { panic!("it may have gone out") };
    assert!(matches!(doubt.state, RunState::Uncertain { at, .. } if at == t(60)));
    assert_eq!(claim(&doubt, "c", 9_999), Claim::Ended);
    let late = AttemptOutcome::Success { detail: "id".into() };
    assert!(doubt.finish(Action::Email, &attempt("a"), &late, t(61), 0.5).is_err());
}

#[test]
fn law_11_a_silent_webhook_or_fulfillment_is_claimed_again() {
    for action in [Action::Webhook, Action::Fulfill] {
        let Claim::Granted(held) = Run::pending(t(0), 1).claim(action, &attempt("a"), t(0), LEASE) else {
            panic!()
        };
        assert!(matches!(held.claim(action, &attempt("b"), t(60), LEASE), Claim::Granted(_)), "{action:?}");
    }
}

#[test]
fn law_11_no_answer_means_another_thing_to_each_action() {
    let lost = AttemptOutcome::Failure { disposition: Disposition::Ambiguous, error: "timeout".into() };
    for (action, code) in
        [(Action::Email, "uncertain"), (Action::Webhook, "pending"), (Action::Fulfill, "pending")]
    {
        let Claim::Granted(held) = Run::pending(t(0), 1).claim(action, &attempt("a"), t(0), LEASE) else {
            panic!()
        };
        let run = held.finish(action, &attempt("a"), &lost, t(1), 0.5).unwrap();
        assert_eq!((run.state.code(), run.last_error.as_deref()), (code, Some("timeout")), "{action:?}");
    }
}

fn run_id(seq: u64, generation: u32) -> RunId {
    let key = RunKey { target: Target::Webhook(endpoint(), EventType::StageEntered), generation };
    RunId { order: OrderId::from_body("0a1b").unwrap(), seq, key }
}

#[test]
fn law_11_the_webhook_id_is_stable_and_has_no_dot() {
    let id = message_id(&run_id(2, 0));
    assert_eq!(id, "msg_83c748ff7c83be5aea72");
    assert_eq!(id, message_id(&RunId::parse(&run_id(2, 0).to_string()).unwrap()));
    assert_eq!(id, message_id(&run_id(2, 1)), "sent again, so that a receiver drops what it has");
    let other = message_id(&run_id(3, 0));
    assert!(other != id && !other.contains('.'), "the signed text is joined by dots");
}

fn shipped() -> (Scene, String) {
    let mut scene = Scene::open();
    scene
        .apply(shopify(20).fulfilled(&["s1"], 20).with(|f| f.snapshot.ship_to = vec!["Žižkov \"1\"".into()]));
    let body = body(scene.last(), scene.order(), scene.snapshot.as_ref().unwrap(), None).unwrap();
    (scene, body)
}

#[test]
fn law_11_the_body_of_a_webhook_is_frozen_to_the_byte() {
    // One line per member, for people; joined again, it is every byte.
    insta::assert_snapshot!(shipped().1.replace(",\"", ",\n\""), @r##"
    {"type":"order.stage_entered",
    "timestamp":"2026-11-22T09:16:42Z",
    "version":1,
    "data":{"order":{"id":"ord_5db796dab105e55bb76b3cf9fd",
    "number":"#1001",
    "platform":"shopify",
    "store":"a.example",
    "external_id":"820982911946154508",
    "customer":{"name":"Bob Norman",
    "email":"bob@example.com"},
    "ship_to":["Žižkov \"1\""],
    "line_count":1,
    "total":"19.90"},
    "stage":{"id":"stg_shipped",
    "name":"shipped"},
    "previous_stage":{"id":"stg_new",
    "name":"new"},
    "cause":{"kind":"platform_fulfillment",
    "channel":"chan_a"},
    "seq":2,
    "occurred_at":"2026-11-22T09:00:20Z"}}
    "##);
}

#[test]
fn law_11_the_body_does_not_depend_on_what_happens_later() {
    let (mut scene, first) = shipped();
    let (event, snapshot) = (scene.last().clone(), scene.snapshot.clone().unwrap());
    scene.playbook.flow.stages[3].name = "Renamed".into();
    scene.playbook.flow.version += 1;
    scene.go("delivered", super::scene::console());
    assert_eq!(body(&event, scene.order(), &snapshot, None), Some(first));
    scene.apply(shopify(30).fulfilled(&["s1"], 20).total("1.00"));
    let message = body(scene.last(), scene.order(), &snapshot, None).unwrap();
    assert!(message.contains("\"stage\":null"), "no stage was entered: {message}");
}

#[test]
fn law_11_the_official_library_accepts_our_signature_with_each_of_two_keys() {
    let (_, body) = shipped();
    let secrets = [webhook_secret(&[7; 32]), webhook_secret(&[9; 32])];
    let keys: Vec<_> = secrets.iter().map(|s| webhook_key(s).unwrap()).collect();
    let id = message_id(&run_id(2, 0));
    let signature = webhook_signature(&keys, &id, t(0).as_second(), body.as_bytes());
    let ours: Vec<&str> = signature.split(' ').collect();
    for (secret, own) in secrets.iter().zip(&ours) {
        let official = standardwebhooks::Webhook::new(secret).unwrap();
        assert_eq!(*own, official.sign(&id, t(0).as_second(), body.as_bytes()).unwrap());
    }
    assert_eq!(ours.len(), 2);
    assert_ne!(ours[0], ours[1]);
}
