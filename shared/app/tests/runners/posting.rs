//! Webhooks: at least once, with one id and one body (laws 11 and 12).

use stagepost_app::config::disable_endpoint;
use stagepost_app::ports::{ActError, ConfigChange, ConfigStore, Post};
use stagepost_app::run::{Answered, HOLD_LOOK_AGAIN, Notable};
use stagepost_domain::SignedDuration;
use stagepost_domain::event::Action;
use stagepost_domain::fact::Fact;
use stagepost_domain::keyring::Keyring;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{RunId, RunState};
use stagepost_domain::shop::{Disabled, DisabledReason, Endpoint, Sealed};
use stagepost_domain::signing::{webhook_key, webhook_signature};
use stagepost_domain::webhook::EventType;
use stagepost_testkit::build;

use super::far_end::{Reply, UNOPENABLE};
use super::wire::{Side, crashed, done};
use super::world::{World, due, keyring, secrets};

fn ripe() -> (World, RunId) {
    let world = World::new();
    let call = world.run_of(world.enter("packing"), Action::Webhook);
    (world, call)
}

fn header(post: &Post, name: &str) -> String {
    post.headers.iter().find(|(n, _)| *n == name).expect("the header").1.clone()
}

/// Checks the signature like a receiver that knows both secrets.
fn verified(post: &Post) {
    let keys = secrets().map(|secret| webhook_key(&secret).unwrap());
    let timestamp = header(post, "webhook-timestamp").parse().unwrap();
    let expected = webhook_signature(&keys, &header(post, "webhook-id"), timestamp, &post.body);
    assert_eq!(header(post, "webhook-signature"), expected);
    assert_eq!(expected.split(' ').count(), 2, "one for each secret");
}

#[test]
fn a_stage_entry_sends_a_signed_event() {
    let (world, call) = ripe();
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { detail, .. } if detail == "HTTP 204"));
    assert_eq!(world.ring(&call), Answered::Ended);
    let posts = world.receiver.posts();
    assert_eq!(posts.len(), 1);
    verified(&posts[0]);
    assert_eq!(posts[0].url.as_str(), "https://warehouse.test/hook");
    assert_eq!(header(&posts[0], "content-type"), "application/json");
    let body: serde_json::Value = serde_json::from_slice(&posts[0].body).unwrap();
    assert_eq!(body["type"], "order.stage_entered");
    assert_eq!((&body["data"]["stage"]["name"], &body["data"]["seq"]), (&"Packing".into(), &2.into()));
    assert_eq!(body["data"]["previous_stage"]["name"], "New");
    assert_eq!(body["data"]["order"]["customer"]["email"], "ada@customer.test");
}

#[test]
fn law_11_every_attempt_has_the_same_id_and_body_and_its_own_signed_time() {
    let (world, call) = ripe();
    for failure in [Reply::Status(500), Reply::Fails(ActError::ambiguous("no answer")), Reply::Status(404)] {
        world.receiver.then(failure);
        let again = due(&world.ring_to(&call));
        world.clock.set(again);
    }
    world.ring_to(&call);
    let posts = world.receiver.posts();
    assert_eq!(posts.len(), 4);
    let mut times = Vec::new();
    for post in &posts {
        verified(post);
        assert_eq!(header(post, "webhook-id"), header(&posts[0], "webhook-id"));
        assert_eq!(post.body, posts[0].body);
        times.push(header(post, "webhook-timestamp").parse::<i64>().unwrap());
    }
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(header(&posts[0], "webhook-id").starts_with("msg_"));
}

#[test]
fn a_receiver_that_keeps_failing_is_given_up_after_eight_attempts_on_the_schedule() {
    let (world, call) = ripe();
    for base in [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000] {
        world.receiver.then(Reply::Status(500));
        let again = due(&world.ring_to(&call));
        let wait = again.duration_since(world.now()).as_millis();
        assert!((base * 800..=base * 1_200).contains(&wait), "{wait} ms where {base} s were planned");
        world.clock.set(again);
    }
    world.receiver.then(Reply::Status(500));
    assert!(matches!(world.ring_to(&call), RunState::Failed { error, .. } if error == "HTTP 500"));
    assert_eq!((world.ring(&call), world.receiver.posts().len()), (Answered::Ended, 8));
}

#[test]
fn a_receiver_that_asks_for_patience_gets_it_up_to_six_hours() {
    for (asked, given) in [(3_600, 3_600), (86_400, 21_600)] {
        let (world, call) = ripe();
        world.receiver.then(Reply::Later(429, asked));
        let wait = due(&world.ring_to(&call)).duration_since(world.now());
        assert_eq!(wait, SignedDuration::from_secs(given));
    }
}

#[test]
fn a_receiver_that_is_gone_ends_it() {
    let (world, call) = ripe();
    world.receiver.then(Reply::Status(410));
    assert!(matches!(world.ring_to(&call), RunState::Failed { .. }));
    assert_eq!(world.ring(&call), Answered::Ended);
    assert_eq!(world.receiver.posts().len(), 1);
}

#[test]
fn a_receiver_that_is_gone_gets_no_more_and_its_endpoint_says_why() {
    let (world, call) = ripe();
    world.receiver.then(Reply::Status(410));
    assert_eq!(done(world.rung(&call)).unwrap().notable, Some(Notable::EndpointDisabled));
    let there = endpoint(&world);
    let disabled = Disabled { since: world.core.now(), reason: DisabledReason::ReceiverGone };
    assert_eq!((there.disabled, there.version), (Some(disabled), 2));
    assert_eq!(done(world.store.settings(&there.shop)).unwrap().unwrap().endpoints[&there.id], 2);
    world.enter("new");
    let next = world.run_of(world.enter("packing"), Action::Webhook);
    assert_eq!(done(world.rung(&next)).unwrap().notable, None, "told once");
    assert!(matches!(world.state(&next), RunState::Skipped { why: SkipReason::EndpointDisabled, .. }));
    assert_eq!(world.receiver.posts().len(), 1);
}

#[test]
fn an_endpoint_that_was_edited_since_the_call_stays_as_it_was_edited() {
    let (world, _) = ripe();
    let called = endpoint(&world);
    world.save(ConfigChange::Endpoint(Endpoint { version: 2, ..called.clone() }));
    done(disable_endpoint(&world.plain, &called, DisabledReason::ReceiverGone)).unwrap();
    let there = endpoint(&world);
    assert_eq!((&there.disabled, there.version), (&None, 2));
    done(disable_endpoint(&world.plain, &there, DisabledReason::ReceiverGone)).unwrap();
    done(disable_endpoint(&world.plain, &there, DisabledReason::ReceiverGone)).unwrap();
    assert_eq!(endpoint(&world).version, 3, "once");
}

fn endpoint(world: &World) -> Endpoint {
    done(world.store.endpoint(&build::shop(), &build::endpoint_id())).unwrap().unwrap()
}

#[test]
fn law_11_a_silent_attempt_is_sent_again_after_its_lease_with_the_same_id() {
    let (world, call) = ripe();
    world.receiver.then(Reply::Hangs);
    crashed(world.answer(&call));
    world.pass(44);
    assert_eq!(world.ring(&call), Answered::Held);
    world.pass(1);
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
    let posts = world.receiver.posts();
    assert_eq!(posts.len(), 2);
    assert_eq!(header(&posts[0], "webhook-id"), header(&posts[1], "webhook-id"));
}

#[test]
fn a_receiver_that_kills_every_attempt_is_given_up_too() {
    let (world, call) = ripe();
    for _ in 0..8 {
        world.receiver.then(Reply::Hangs);
        crashed(world.answer(&call));
        world.pass(45);
    }
    assert!(matches!(world.ring_to(&call), RunState::Failed { .. }));
    assert_eq!(world.receiver.posts().len(), 8);
}

#[test]
fn law_11_a_crash_after_the_receivers_yes_sends_it_once_more_and_no_more() {
    let (world, call) = ripe();
    world.wire.cut_second(Side::Before, "update_run");
    crashed(world.answer(&call));
    world.pass(45);
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
    assert_eq!((world.ring(&call), world.receiver.posts().len()), (Answered::Ended, 2));
}

#[test]
fn an_endpoint_that_is_switched_off_or_gone_is_a_visible_skip() {
    let (world, call) = ripe();
    let mut endpoint = build::endpoint(&build::shop());
    endpoint.disabled = Some(Disabled { since: world.core.now(), reason: DisabledReason::ByHand });
    world.save(ConfigChange::Endpoint(endpoint));
    let disabled = SkipReason::EndpointDisabled;
    assert!(matches!(world.ring_to(&call), RunState::Skipped { why, .. } if why == disabled));
    // Gone: the settings know it no more when the event is decided.
    let (world, _) = ripe();
    world.save_with(ConfigChange::Shop, |settings| settings.endpoints.clear());
    let call = world.run_of(world.enter("ready"), Action::Webhook);
    assert!(matches!(world.state(&call), RunState::Skipped { why, .. } if why == SkipReason::TargetGone));
    assert!(world.receiver.posts().is_empty());
}

#[test]
fn law_11_the_body_is_frozen_when_the_event_is_decided() {
    let (world, call) = ripe();
    world.receiver.then(Reply::Status(500));
    let again = due(&world.ring_to(&call));
    let mut renamed = build::order_fact(1001, 5);
    renamed.snapshot.customer.name = Some("Somebody Else".to_owned());
    renamed.number = "#1001-B".to_owned();
    world.tell(&build::told(renamed));
    world.clock.set(again);
    world.ring_to(&call);
    let posts = world.receiver.posts();
    assert_eq!(posts[0].body, posts[1].body);
    assert!(String::from_utf8_lossy(&posts[1].body).contains("Ada Example"));
}

#[test]
fn an_event_decided_without_the_snapshot_at_hand_still_freezes_it() {
    let world = World::with(|flow| {
        let calls = stagepost_domain::flow::Automations { webhook: build::calls(), ..Default::default() };
        flow.stages[3].automations = calls;
    });
    // Told by a fulfillment on its own: the order item knows no customer.
    world.platform.merchant_fulfills("M1");
    world.tell(&world.platform.order_fact());
    let call = world.run_of(world.order().seq, Action::Webhook);
    world.ring_to(&call);
    assert!(String::from_utf8_lossy(&world.receiver.posts()[0].body).contains("ada@customer.test"));
}

#[test]
fn nothing_leaves_unsigned() {
    let (world, call) = ripe();
    let mut endpoint = build::endpoint(&build::shop());
    endpoint.secrets = Keyring::new(Sealed("not a signing secret".to_owned()));
    world.save(ConfigChange::Endpoint(endpoint));
    assert!(matches!(world.ring_to(&call), RunState::Failed { .. }));
    assert!(world.receiver.posts().is_empty());
}

#[test]
fn a_signing_secret_that_does_not_open_is_a_failed_attempt_and_ends_with_the_schedule() {
    for mended_after in [None, Some(3)] {
        let (world, call) = ripe();
        let mut endpoint = build::endpoint(&build::shop());
        endpoint.secrets = Keyring::new(Sealed(UNOPENABLE.to_owned()));
        world.save(ConfigChange::Endpoint(endpoint.clone()));
        let mut state = world.ring_to(&call);
        while let RunState::Pending { due } = state {
            assert!(world.run(&call).last_error.unwrap().contains("cannot be opened"));
            if Some(world.run(&call).attempts) == mended_after {
                endpoint.secrets = keyring();
                world.save(ConfigChange::Endpoint(endpoint.clone()));
            }
            world.clock.set(due);
            state = world.ring_to(&call);
        }
        let mended = mended_after.is_some();
        assert_eq!(state.code(), if mended { "succeeded" } else { "failed" });
        assert_eq!(world.run(&call).attempts, if mended { 4 } else { 8 });
        assert_eq!(world.receiver.posts().len(), usize::from(mended), "nothing leaves unsigned");
    }
}

#[test]
fn law_10_two_doorbells_at_once_make_one_attempt() {
    let (world, call) = ripe();
    let (one, two) = done(async { tokio::join!(world.answer(&call), world.answer(&call)) });
    let recorded = [one.unwrap(), two.unwrap()];
    assert_eq!(recorded.iter().filter(|a| matches!(a, Answered::Recorded(_))).count(), 1, "{recorded:?}");
    assert_eq!((world.receiver.posts().len(), world.run(&call).attempts), (1, 1));
}

#[test]
fn law_9_the_webhook_of_a_stage_waits_while_its_order_is_on_hold() {
    for actor in [build::program(), build::person()] {
        let world = World::new();
        let call = world.run_of(world.go("packing", actor), Action::Webhook);
        world.tell(&Fact::Hold { actor: build::person() });
        world.pass(10);
        for _ in 0..2 {
            let kept = due(&world.ring_to(&call));
            assert_eq!(kept, world.now() + HOLD_LOOK_AGAIN);
            assert_eq!((world.run(&call).kept_until, world.run(&call).attempts), (Some(kept), 0));
            world.clock.set(kept);
        }
        assert!(world.receiver.posts().is_empty(), "nothing leaves");
        world.tell(&Fact::Resume { actor: build::person() });
        assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
        assert_eq!(world.receiver.posts().len(), 1);
    }
}

#[test]
fn law_9_a_webhook_that_failed_waits_too_and_keeps_its_attempts() {
    let (world, call) = ripe();
    world.receiver.then(Reply::Status(500));
    let again = due(&world.ring_to(&call));
    world.tell(&Fact::Hold { actor: build::person() });
    world.clock.set(again);
    let kept = due(&world.ring_to(&call));
    assert_eq!((world.receiver.posts().len(), world.run(&call).attempts), (1, 1));
    world.tell(&Fact::Resume { actor: build::person() });
    world.clock.set(kept);
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
}

#[test]
fn who_subscribed_is_told_of_an_order_on_hold_as_of_any() {
    for actor in [build::program(), build::person()] {
        let world = World::new();
        world.save_with(ConfigChange::Shop, |settings| {
            settings.subscribers.insert(build::endpoint_id(), EventType::ALL.into_iter().collect());
        });
        // No automation of this stage calls anybody.
        let call = world.run_of(world.go("shipped", actor), Action::Webhook);
        assert!(world.run(&call).subscribed);
        world.tell(&Fact::Hold { actor: build::person() });
        world.pass(10);
        assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
    }
}

#[test]
fn law_12_a_webhook_that_was_tried_in_time_is_not_taken_back_by_a_later_move() {
    let world = World::new();
    let call = world.run_of(world.go("packing", build::person()), Action::Webhook);
    world.pass(10);
    world.receiver.then(Reply::Status(500));
    let again = due(&world.ring_to(&call));
    world.go("ready", build::person());
    world.clock.set(again);
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }), "at least once");
}

#[test]
fn law_16_a_receiver_that_never_answered_is_called_three_at_a_time_and_what_waits_costs_no_attempt() {
    let world = World::new();
    let calls: Vec<RunId> = (0..6)
        .map(|n| world.run_of(world.enter(if n % 2 == 0 { "packing" } else { "ready" }), Action::Webhook))
        .collect();
    (0..3).for_each(|_| world.receiver.then(Reply::Hangs));
    calls[..3].iter().for_each(|call| crashed(world.answer(call)));
    for call in &calls[3..] {
        let soon = due(&world.ring_to(call)).duration_since(world.now());
        assert!((2..=4).contains(&soon.as_secs()), "{soon}");
        assert_eq!(world.run(call).attempts, 0);
    }
    assert_eq!(world.receiver.posts().len(), 3);
    world.pass(30);
    assert!(matches!(world.ring_to(&calls[3]), RunState::Succeeded { .. }), "those calls must be over");
    calls[4..].iter().for_each(|call| assert!(matches!(world.ring_to(call), RunState::Succeeded { .. })));
}

#[test]
fn law_16_a_receiver_that_was_well_and_falls_silent_is_called_three_at_a_time_from_then_on() {
    let world = World::new();
    let call = |stage: &str| world.run_of(world.enter(stage), Action::Webhook);
    let (first, silent) = (call("packing"), call("ready"));
    let more: Vec<RunId> = (0..3).map(|n| call(if n % 2 == 0 { "packing" } else { "ready" })).collect();
    assert!(matches!(world.ring_to(&first), RunState::Succeeded { .. }));
    (0..3).for_each(|_| world.receiver.then(Reply::Hangs));
    crashed(world.answer(&silent));
    more[..2].iter().for_each(|call| crashed(world.answer(call)));
    assert!(matches!(world.ring_to(&more[2]), RunState::Pending { .. }));
    assert_eq!(world.receiver.posts().len(), 4);
}
