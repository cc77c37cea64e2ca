//! A restored table: nobody is mailed twice, and what can be done twice without harm goes on (laws 4, 7, 11).

use stagepost_app::again::again;
use stagepost_app::apply::Outcome;
use stagepost_app::audit::{Finding, look_at};
use stagepost_app::mail::asked::send;
use stagepost_app::mail::ports::{AskedState, Asker};
use stagepost_app::people::ask_sign_in;
use stagepost_app::ports::{ActError, Post};
use stagepost_app::run::retry;
use stagepost_domain::event::Action;
use stagepost_domain::fulfillment::Attribution;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::restore::RestoredAt;
use stagepost_domain::run::{RunId, RunState};
use stagepost_testkit::build;

use super::far_end::{Call, Lands, OpenVault, Take};
use super::wire::{crashed, done};
use super::world::{Links, World, id};

/// The table restored, and its deployment begins now.
fn restored(mut world: World) -> World {
    let cut = RestoredAt::parse(&world.now().to_string()).unwrap();
    (world.core.restored_at, world.plain.restored_at) = (Some(cut), Some(cut));
    world
}

/// The order in *Packing* with its mail past the grace, and then restored.
fn waiting() -> (World, RunId) {
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.pass(11);
    (restored(world), mail)
}

/// The run of this action by which the order enters the stage now.
fn newest(world: &World, stage: &str, action: Action) -> RunId {
    world.enter(stage);
    world.run_of(world.order().seq, action)
}

fn is_fenced(state: &RunState) -> bool {
    matches!(state, RunState::Skipped { why: SkipReason::BeforeRestore, .. })
}

fn header(post: &Post, name: &str) -> String {
    post.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone()
}

#[test]
fn law_11_a_mail_that_waited_over_a_restore_is_skipped_before_any_claim_and_a_new_one_leaves() {
    let (world, mail) = waiting();
    assert!(is_fenced(&world.ring_to(&mail)));
    assert_eq!(world.run(&mail).attempts, 0, "nobody claimed it");
    assert!(world.provider.sent().is_empty());
    let next = newest(&world, "ready", Action::Email);
    world.pass(11);
    assert!(
        matches!(world.ring_to(&next), RunState::Succeeded { .. }),
        "what is decided now is mailed as ever"
    );
    assert_eq!(world.provider.sent().len(), 1);
    assert_eq!(world.provider.sent()[0].tags["seq"], world.order().seq.to_string());
}

#[test]
fn law_12_a_mail_of_before_a_restore_holds_up_none_that_comes_after_it() {
    let (world, mail) = waiting();
    let next = newest(&world, "ready", Action::Email);
    world.pass(11);
    assert!(matches!(world.ring_to(&next), RunState::Succeeded { .. }));
    assert!(is_fenced(&world.state(&mail)));
}

#[test]
fn law_11_a_mail_of_before_a_restore_is_sent_when_a_person_wants_it_since() {
    let (world, mail) = waiting();
    world.ring_to(&mail);
    let sent = done(again(&world.plain, &mail, build::person(), false)).unwrap().unwrap();
    assert!(matches!(world.ring_to(&sent.id), RunState::Succeeded { .. }));
    // One that somebody wanted again before it may have left as well, whatever its generation.
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.pass(11);
    world.ring_to(&mail);
    let sent = done(again(&world.plain, &mail, build::person(), false)).unwrap().unwrap();
    world.pass(1);
    let world = restored(world);
    assert!(is_fenced(&world.ring_to(&sent.id)));
    assert_eq!(world.provider.sent().len(), 1);
    // One that failed is tried again by a person's word alone.
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.pass(11);
    world.provider.then(Take::Fails(ActError::permanent("no such address")));
    assert!(matches!(world.ring_to(&mail), RunState::Failed { .. }));
    let world = restored(world);
    done(retry(&world.plain, &mail, false)).unwrap().unwrap().unwrap();
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
}

#[test]
fn law_11_a_mail_that_was_being_sent_at_the_restore_is_in_doubt_as_ever() {
    let (world, mail) = {
        let world = World::new();
        let mail = world.run_of(world.enter("packing"), Action::Email);
        world.pass(11);
        world.provider.then(Take::Hangs);
        crashed(world.answer(&mail));
        world.pass(3_600);
        (restored(world), mail)
    };
    assert!(matches!(world.ring_to(&mail), RunState::Uncertain { .. }));
    assert_eq!(world.provider.sent().len(), 1);
}

#[test]
fn law_11_a_webhook_of_before_a_restore_goes_on_and_one_of_after_it_has_an_id_of_its_own() {
    let world = World::new();
    let lost = world.run_of(world.enter("packing"), Action::Webhook);
    world.pass(1);
    let world = restored(world);
    assert!(matches!(world.ring_to(&lost), RunState::Succeeded { .. }), "the receiver drops what it has");
    world.enter("new");
    let next = newest(&world, "packing", Action::Webhook);
    world.ring_to(&next);
    let posts = world.receiver.posts();
    assert_eq!(posts.len(), 2);
    assert_ne!(header(&posts[0], "webhook-id"), header(&posts[1], "webhook-id"));
    let seq =
        |post: &Post| serde_json::from_slice::<serde_json::Value>(&post.body).unwrap()["data"]["seq"].clone();
    assert!(seq(&posts[0]).as_u64() < seq(&posts[1]).as_u64(), "what has a higher number is newer");
}

#[test]
fn law_7_a_fulfillment_of_before_a_restore_looks_first_and_is_not_made_twice() {
    // Its attempt is long gone, its lock stands in the copy: ours, by what the platform shows since.
    for marks in [false, true] {
        let world = World::new();
        if marks {
            world.platform.keeps_marks();
        }
        let run = world.run_of(world.enter("ready"), Action::Fulfill);
        world.platform.then(Call::Hangs(Lands::Now));
        crashed(world.answer(&run));
        world.pass(90_000);
        let world = restored(world);
        assert!(matches!(world.ring_to(&run), RunState::Succeeded { .. }), "marks: {marks}");
        assert_eq!(world.order().fulfillment.complete().unwrap().0, Attribution::Ours { seq: run.seq });
        assert_eq!((world.platform.calls(), world.order().fulfillment.lock), (1, None));
    }
}

#[test]
fn law_7_what_was_fulfilled_between_the_copy_and_the_restore_moves_its_order_silently() {
    let world = World::new();
    let run = world.run_of(world.enter("ready"), Action::Fulfill);
    // By whichever hand: this table knows of none.
    world.platform.merchant_fulfills("LOST-1");
    world.pass(60);
    let world = restored(world);
    assert!(matches!(
        world.ring_to(&run),
        RunState::Skipped { why: SkipReason::AlreadyFulfilled { .. }, .. }
    ));
    assert_eq!((world.platform.calls(), world.stage().as_str()), (0, "shipped"));
    let moved = world.event(world.order().seq);
    assert!(moved.runs.values().all(|run| is_fenced(&run.state)), "{:?}", moved.runs);
    // The platform tells of it, too.
    assert!(matches!(world.tell(&world.platform.order_fact()), Outcome::NoOp(_) | Outcome::Changed(_)));
    assert_eq!(world.event(world.order().seq).open_runs(), 0);
    assert!(world.provider.sent().is_empty());
}

#[test]
fn law_11_a_link_of_before_a_restore_is_not_mailed_and_can_be_asked_for_again() {
    let world = World::new();
    let key = build::office(Links).addresses;
    done(ask_sign_in(&world.plain, &key, "nobody@people.test")).unwrap();
    let asked = world.store.asked_mails().pop().unwrap();
    let Asker::Person(_) = asked.asker() else { panic!("{asked:?}") };
    world.pass(1);
    let world = restored(world);
    let office = build::office(Links);
    let sent = done(send(&world.plain, &OpenVault, &world.provider, &office, &asked.asker(), &asked.id));
    let state = sent.unwrap().unwrap().state;
    let AskedState::Failed { error } = state else { panic!("{state:?}") };
    assert!(error.contains("restored"), "{error}");
}

#[test]
fn law_13_an_audit_misses_no_number_that_a_restore_left_out_and_every_other() {
    let world = World::new();
    world.enter("packing");
    let world = restored(world);
    for stage in ["new", "packing"] {
        world.enter(stage);
    }
    let found = || done(look_at(&world.plain, &build::shop(), &id(), None)).unwrap().findings;
    assert_eq!(found(), []);
    let seq = world.order().seq;
    world.store.lose_event(&id(), seq);
    assert_eq!(found(), [Finding::Missing { from: seq, to: seq }]);
}
