//! Calls under an idempotency key: whatever crashes between act and record, there is one of everything.

use std::sync::Arc;

use serde_json::{Value, json};
use stagepost_app::Core;
use stagepost_app::config::{
    create_carrier, create_channel, create_shop, put_endpoint, put_flow, put_template,
};
use stagepost_app::once::{Answered, Begun, By, Call, Ended, KEPT, LEASE, Lease, begin, finish};
use stagepost_app::ports::ConfigStore;
use stagepost_domain::SignedDuration;
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_testkit::{Fault, ManualClock, MemoryStore, SeededEntropy, build};

use super::far_end::OpenVault;
use super::wire::done;

const OWNER: By<'_> = By { who: "key_owner", role: Role::Owner };

struct Calls {
    core: Core<MemoryStore>,
    clock: ManualClock,
}

impl Calls {
    fn new() -> Self {
        let clock = ManualClock::new(build::seconds(1_000));
        let entropy = Arc::new(SeededEntropy::new(3));
        let core =
            Core { store: MemoryStore::new(), clock: Arc::new(clock.clone()), entropy, restored_at: None };
        done(create_shop(&core, &build::shop(), "Boats", "hello@boats.test")).unwrap();
        Self { core, clock }
    }

    fn begin(&self, shop: &ShopId, route: &str, key: &str, body: &str) -> Begun {
        self.begin_by(OWNER, shop, route, key, body)
    }

    fn begin_by(&self, by: By<'_>, shop: &ShopId, route: &str, key: &str, body: &str) -> Begun {
        let call = Call { shop, by, route, key, body: body.to_owned() };
        done(begin(&self.core, &OpenVault, &call)).unwrap()
    }

    fn act(&self, route: &str) -> Box<Lease> {
        match self.begin(&build::shop(), route, "k", "b") {
            Begun::Act(lease) => lease,
            other => panic!("{}", name(&other)),
        }
    }

    /// What the call acts with.
    fn core_of(&self, lease: &Lease) -> Core<MemoryStore> {
        Core { entropy: lease.entropy(), ..self.core.clone() }
    }
}

fn name(begun: &Begun) -> &'static str {
    match begun {
        Begun::Act(_) => "act",
        Begun::Replay(_) => "replay",
        Begun::InProgress { .. } => "in progress",
        Begun::OtherBody => "other body",
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Makes one thing of each kind; gives what was answered, secrets among it.
fn make(core: &Core<MemoryStore>, route: &str) -> String {
    let shop = build::shop();
    match route {
        "template" => {
            let input = from(json!({"name": "Mail", "subject": "s", "text": "t"}));
            done(put_template(core, &shop, None, &input, None)).unwrap().id.to_string()
        }
        "endpoint" => {
            let input = from(json!({"name": "ERP", "url": "https://erp.test/"}));
            let put = put_endpoint(core, &OpenVault, &shop, None, &input, |_| Ok(()), None);
            let (endpoint, secret) = done(put).unwrap();
            format!("{} {}", endpoint.id, secret.unwrap())
        }
        "flow" => {
            let input = from(json!({"name": "Flow", "stages": [{"name": "New"}]}));
            done(put_flow(core, &shop, None, &input, None)).unwrap().id.to_string()
        }
        "channel" => {
            let input = from(
                json!({"platform": "shopify", "name": "S", "store": "a.myshopify.com", "webhook_secret": "s"}),
            );
            done(create_channel(core, &OpenVault, &shop, &input, |_| Ok(()))).unwrap().id.to_string()
        }
        _ => {
            let input = from(json!({"kind": "easypost", "name": "E", "webhook_secret": "s"}));
            done(create_carrier(core, &OpenVault, &shop, &input)).unwrap().id.to_string()
        }
    }
}

fn count(store: &MemoryStore) -> [usize; 5] {
    let shop = build::shop();
    [
        done(store.templates(&shop)).unwrap().len(),
        done(store.endpoints(&shop)).unwrap().len(),
        done(store.flows(&shop)).unwrap().len(),
        done(store.channels(&shop)).unwrap().len(),
        done(store.carriers(&shop)).unwrap().len(),
    ]
}

#[test]
fn a_call_that_crashed_after_its_act_makes_no_second_resource_and_tells_the_same_secret() {
    let calls = Calls::new();
    let mut answers = Vec::new();
    for route in ["template", "endpoint", "flow", "channel", "carrier"] {
        let lease = calls.act(route);
        assert!(!lease.is_resumed());
        let first = make(&calls.core_of(&lease), route);
        drop(lease);
        let early = calls.begin(&build::shop(), route, "k", "b");
        assert_eq!(name(&early), "in progress", "{route}: its lease has not ended");
        calls.clock.advance(LEASE);
        let lease = calls.act(route);
        assert!(lease.is_resumed(), "it may have been done");
        assert_eq!(make(&calls.core_of(&lease), route), first);
        answers.push(first);
    }
    assert_eq!(count(&calls.core.store), [1; 5]);
    assert!(answers[1].contains("whsec_"));
}

#[test]
fn a_call_that_crashed_before_its_act_is_done_by_the_next() {
    let calls = Calls::new();
    drop(calls.act("flow"));
    calls.clock.advance(LEASE);
    let lease = calls.act("flow");
    make(&calls.core_of(&lease), "flow");
    assert_eq!(count(&calls.core.store), [0, 0, 1, 0, 0]);
}

#[test]
fn an_act_whose_answer_was_lost_may_be_called_again_at_once() {
    let calls = Calls::new();
    let lease = calls.act("flow");
    calls.core.store.inject(Fault::LostReply);
    let input = from(json!({"name": "Flow", "stages": [{"name": "New"}]}));
    done(put_flow(&calls.core_of(&lease), &build::shop(), None, &input, None)).unwrap_err();
    done(finish(&calls.core, &OpenVault, *lease, &Ended::Unknown)).unwrap();
    let lease = calls.act("flow");
    make(&calls.core_of(&lease), "flow");
    assert_eq!(count(&calls.core.store), [0, 0, 1, 0, 0]);
}

#[test]
fn what_was_answered_is_answered_again_for_a_day_and_to_nothing_else() {
    let calls = Calls::new();
    let answered =
        Answered { status: 201, etag: Some("\"1\"".to_owned()), body: "{\"secret\":1}".to_owned() };
    let lease = calls.act("endpoint");
    let made = lease.entropy().id_body();
    done(finish(&calls.core, &OpenVault, *lease, &Ended::Done(answered.clone()))).unwrap();
    let shop = build::shop();
    match calls.begin(&shop, "endpoint", "k", "b") {
        Begun::Replay(again) => assert_eq!(again, answered),
        other => panic!("{}", name(&other)),
    }
    assert_eq!(name(&calls.begin(&shop, "endpoint", "k", "other")), "other body");
    for (shop, route, key) in
        [(build::other_shop(), "endpoint", "k"), (shop.clone(), "flow", "k"), (shop.clone(), "endpoint", "l")]
    {
        assert_eq!(name(&calls.begin(&shop, route, key, "b")), "act", "{shop} {route} {key}");
    }
    calls.clock.advance(KEPT - SignedDuration::from_secs(1));
    assert_eq!(name(&calls.begin(&shop, "endpoint", "k", "b")), "replay");
    calls.clock.advance(SignedDuration::from_secs(1));
    let lease = calls.act("endpoint");
    assert_ne!(lease.entropy().id_body(), made, "a key that is forgotten makes something new");
}

#[test]
fn a_refused_call_leaves_its_key_free_for_the_corrected_one() {
    let calls = Calls::new();
    let lease = calls.act("flow");
    done(finish(&calls.core, &OpenVault, *lease, &Ended::Refused)).unwrap();
    assert_eq!(name(&calls.begin(&build::shop(), "flow", "k", "corrected")), "act");
}

#[test]
fn a_holder_whose_lease_was_taken_over_records_nothing() {
    let calls = Calls::new();
    let slow = calls.act("flow");
    calls.clock.advance(LEASE);
    let fast = calls.act("flow");
    let answer = |body: &str| Ended::Done(Answered { status: 201, etag: None, body: body.to_owned() });
    done(finish(&calls.core, &OpenVault, *slow, &answer("slow"))).unwrap();
    assert_eq!(name(&calls.begin(&build::shop(), "flow", "k", "b")), "in progress");
    done(finish(&calls.core, &OpenVault, *fast, &answer("fast"))).unwrap();
    assert!(matches!(calls.begin(&build::shop(), "flow", "k", "b"), Begun::Replay(a) if a.body == "fast"));
}

#[test]
fn law_20_an_answer_is_for_whoever_was_given_it_and_for_nobody_below() {
    let calls = Calls::new();
    let lease = calls.act("key");
    let answered = Answered { status: 201, etag: None, body: "sp_secret".to_owned() };
    done(finish(&calls.core, &OpenVault, *lease, &Ended::Done(answered))).unwrap();
    assert_eq!(name(&calls.begin(&build::shop(), "key", "k", "b")), "replay");
    let as_other = By { who: "key_other", ..OWNER };
    let begun = calls.begin_by(as_other, &build::shop(), "key", "k", "b");
    assert_eq!(name(&begun), "act", "a call of its own, which its own rights decide");
    let as_less = By { role: Role::Viewer, ..OWNER };
    let begun = calls.begin_by(as_less, &build::shop(), "key", "k", "b");
    assert_eq!(name(&begun), "other body", "neither told nor done again");
}
