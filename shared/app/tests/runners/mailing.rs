//! Mails: at most once, after the grace, in order (laws 11 and 12).

use std::sync::Arc;

use stagepost_app::governor::release;
use stagepost_app::mail::events::{ListenError, Listened, MailEvent, listen};
use stagepost_app::mail::ports::{Counted, Line, PaceStore, SuppressionStore, TallyStore};
use stagepost_app::mail::{PostOffice, email};
use stagepost_app::ports::{ActError, ConfigChange, GovernorStore};
use stagepost_app::run::{Answered, HOLD_LOOK_AGAIN, Notable, Of, retry};
use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::Action;
use stagepost_domain::feedback::{Fate, Word};
use stagepost_domain::governor::{FLOOR, TooMany, week, window};
use stagepost_domain::order::Lifecycle;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::pace::Pace;
use stagepost_domain::run::{InvalidTransition, Run, RunId, RunState, later};
use stagepost_domain::shop::Sealed;
use stagepost_domain::suppression::{Because, Suppression, suppression_id};
use stagepost_testkit::{Fault, build};
use tokio::sync::Notify;

use super::far_end::{OpenVault, Take};
use super::wire::{Side, breathe, crashed, done};
use super::world::{Links, World, due};

/// The order in *Packing*, its mail one second past the grace.
fn ripe() -> (World, RunId) {
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.pass(11);
    (world, mail)
}

fn skipped(why: SkipReason) -> impl Fn(&RunState) -> bool {
    move |state| matches!(state, RunState::Skipped { why: found, .. } if *found == why)
}

#[test]
fn law_12_a_mail_leaves_once_after_its_grace() {
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.pass(10);
    let RunState::Succeeded { detail, .. } = world.ring_to(&mail) else { panic!("it should have left") };
    assert_eq!(detail, "message-1");
    for _ in 0..3 {
        assert_eq!(world.ring(&mail), Answered::Ended);
    }
    let sent = world.provider.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].from.as_str(), sent[0].to.as_str()),
        ("Demo Shop <orders@shop.test>", "ada@customer.test")
    );
    assert_eq!(sent[0].subject, "Order #1001 (v1)");
    assert_eq!(sent[0].text.as_deref(), Some("Hello Ada Example, your order is now Packing."));
    assert_eq!((&sent[0].tags["order"], &sent[0].tags["seq"]), (&mail.order.to_string(), &"2".to_owned()));
}

#[test]
fn law_9_far_more_mails_than_usual_are_stopped_until_somebody_has_looked() {
    let (world, mail) = ripe();
    let shop = build::shop();
    for _ in 0..FLOOR {
        done(world.store.count_mail(&shop, window(world.now()))).unwrap();
    }
    let rung = done(world.rung(&mail)).unwrap();
    assert_eq!(rung.notable, Some(Notable::MailsStopped), "whoever runs the deployment hears of it");
    let of = Of { shop: shop.clone(), at: world.event(mail.seq).at };
    assert_eq!(rung.of, Some(of), "the log tells whose it is");
    let waits = world.run(&mail);
    let looks = later(world.now(), HOLD_LOOK_AGAIN);
    assert_eq!((&waits.state, waits.kept_until), (&RunState::Pending { due: looks }, Some(looks)));
    let paused = done(world.store.governor(&shop)).unwrap().paused.unwrap();
    assert_eq!((paused.count, paused.usual), (FLOOR + 1, 0));
    world.pass(3_600);
    let rung = done(world.rung(&mail)).unwrap();
    assert_eq!(rung.notable, None, "told once");
    assert!(matches!(world.state(&mail), RunState::Pending { .. }), "time alone releases nothing");
    assert!(world.provider.sent().is_empty());
    done(release(&world.core, &shop)).unwrap();
    world.pass(600);
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
    assert_eq!(world.provider.sent().len(), 1);
}

#[test]
fn law_12_a_doorbell_that_rings_in_the_grace_is_early() {
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.pass(9);
    assert_eq!(world.ring(&mail), Answered::Early(build::seconds(10)));
    assert!(world.provider.sent().is_empty());
}

#[test]
fn law_12_a_move_made_meanwhile_supersedes_the_mail() {
    let (world, mail) = ripe();
    let by_seq = world.enter("new");
    assert!(skipped(SkipReason::Superseded { by_seq })(&world.ring_to(&mail)));
    assert!(world.provider.sent().is_empty());
}

#[test]
fn law_12_a_mail_that_is_tried_again_after_its_order_left_is_superseded() {
    let (world, mail) = ripe();
    world.provider.then(Take::Fails(ActError::retry("slow down")));
    let again = due(&world.ring_to(&mail));
    let by_seq = world.enter("shipped");
    world.clock.set(again);
    assert!(skipped(SkipReason::Superseded { by_seq })(&world.ring_to(&mail)));
    assert_eq!(world.provider.sent().len(), 1);
}

#[test]
fn a_pause_of_the_sender_spends_no_attempt_however_long_it_lasts() {
    let (world, mail) = ripe();
    for _ in 0..20 {
        world.provider.then(Take::Paused);
        let rung = world.ring(&mail);
        let Answered::Recorded(run) = rung else { panic!("{rung:?}") };
        assert_eq!((run.attempts, run.last_error.as_deref()), (0, Some("sending is paused")));
        let wait = due(&run.state).duration_since(world.core.now());
        assert!((24..=36).contains(&wait.as_mins()), "{wait}");
        world.clock.set(due(&run.state));
    }
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
}

#[test]
fn a_mail_of_an_order_that_was_cancelled_since_is_not_sent() {
    let (world, mail) = ripe();
    let mut cancelled = build::order_fact(1001, 5);
    cancelled.lifecycle = Lifecycle::Cancelled { at: None };
    world.tell(&build::told(cancelled));
    assert!(skipped(SkipReason::OrderCancelled)(&world.ring_to(&mail)));
    assert!(world.provider.sent().is_empty());
}

#[test]
fn an_order_without_an_address_gets_a_visible_skip_and_no_mail() {
    // None when the event is decided …
    let world = World::empty(|_| {});
    let mut fact = build::order_fact(1001, 0);
    fact.snapshot.customer.email = None;
    world.tell(&build::told(fact.clone()));
    let mail = world.run_of(world.enter("packing"), Action::Email);
    assert!(skipped(SkipReason::NoAddress)(&world.state(&mail)));
    world.pass(11);
    assert_eq!(world.ring(&mail), Answered::Ended);
    // … or taken away before the mail leaves.
    let (world, mail) = ripe();
    fact.updated_at = Some(build::seconds(5));
    world.tell(&build::told(fact));
    assert!(skipped(SkipReason::NoAddress)(&world.ring_to(&mail)));
    assert!(world.provider.sent().is_empty());
}

#[test]
fn law_12_mails_of_one_order_go_in_the_order_of_their_events() {
    let (world, first) = ripe();
    let answer = Arc::new(Notify::new());
    world.provider.then(Take::WaitsFor(Arc::clone(&answer)));
    let other = world.clone();
    done(async {
        tokio::join!(world.answer(&first), async {
            for _ in 0..100 {
                breathe().await;
            }
            let second = other.run_of(other.enter("ready"), Action::Email);
            other.pass(10);
            let wait = due(&other.ring_to(&second));
            assert_eq!(other.provider.sent().len(), 1, "the first is still on its way");
            answer.notify_one();
            for _ in 0..100 {
                breathe().await;
            }
            other.clock.set(wait);
            assert!(matches!(other.ring_to(&second), RunState::Succeeded { .. }));
        })
        .0
    })
    .unwrap();
    let subjects: Vec<_> = world.provider.sent().into_iter().map(|mail| mail.tags["seq"].clone()).collect();
    assert_eq!(subjects, ["2", "3"]);
}

#[test]
fn law_12_a_refused_mail_does_not_hold_up_the_next_one() {
    let (world, first) = ripe();
    for _ in 0..5 {
        world.provider.then(Take::Fails(ActError::retry("slow down")));
        let again = due(&world.ring_to(&first));
        world.clock.set(again);
    }
    let second = world.run_of(world.enter("ready"), Action::Email);
    world.pass(10);
    assert!(matches!(world.ring_to(&second), RunState::Succeeded { .. }));
    assert!(skipped(SkipReason::Superseded { by_seq: second.seq })(&world.state(&first)));
    assert_eq!(world.ring(&first), Answered::Ended);
}

#[test]
fn law_12_a_mail_that_was_skipped_does_not_let_the_next_one_overtake_the_one_before() {
    let (world, first) = ripe();
    world.provider.then(Take::Hangs);
    crashed(world.answer(&first));
    let second = world.run_of(world.enter("ready"), Action::Email);
    let third = world.run_of(world.enter("packing"), Action::Email);
    world.pass(10);
    assert!(skipped(SkipReason::Superseded { by_seq: third.seq })(&world.ring_to(&second)));
    assert!(matches!(world.ring_to(&third), RunState::Pending { .. }), "the first may still leave");
    world.pass(45);
    assert!(matches!(world.ring(&first), Answered::Recorded(run) if run.state.code() == "uncertain"));
    assert!(matches!(world.ring_to(&third), RunState::Succeeded { .. }));
}

#[test]
fn law_11_the_claim_is_stored_before_the_mail_leaves() {
    let (world, mail) = ripe();
    let (other, id) = (world.clone(), mail.clone());
    world.provider.while_sending(move || {
        assert!(matches!(other.state(&id), RunState::Claimed { .. }));
        assert_eq!(other.ring(&id), Answered::Held);
    });
    world.ring_to(&mail);
    assert_eq!(world.provider.sent().len(), 1);
}

#[test]
fn law_11_no_mail_leaves_when_the_claim_could_not_be_stored() {
    for fault in [Fault::Down, Fault::Throttle, Fault::Conflict, Fault::LostReply] {
        let (world, mail) = ripe();
        world.store.inject(fault);
        let error = done(world.answer(&mail)).unwrap_err();
        assert_eq!(error.disposition(), Disposition::RETRY);
        assert!(world.provider.sent().is_empty(), "{fault:?}");
    }
}

#[test]
fn law_11_a_mail_that_left_is_recorded_though_the_store_falters() {
    for faults in [[Fault::Throttle; 4], [Fault::Down; 4], [Fault::LostReply; 4]] {
        let (world, mail) = ripe();
        let store = world.store.clone();
        world.provider.while_sending(move || faults.into_iter().for_each(|fault| store.inject(fault)));
        assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }), "{faults:?}");
        assert_eq!(world.provider.sent().len(), 1);
    }
    // An outage that outlives that patience leaves it in doubt, as ever.
    let (world, mail) = ripe();
    let store = world.store.clone();
    world.provider.while_sending(move || (0..9).for_each(|_| store.inject(Fault::Down)));
    assert_eq!(done(world.answer(&mail)).unwrap_err().disposition(), Disposition::RETRY);
}

#[test]
fn a_run_of_an_order_that_cannot_be_read_is_put_aside_and_does_not_come_back_for_ever() {
    let (world, mail) = ripe();
    let call = world.run_of(mail.seq, Action::Webhook);
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
    world.store.break_order(&mail.order, true);
    let Answered::PutAside(until) = world.ring(&mail) else { panic!("{:?}", world.state(&mail)) };
    for _ in 0..10 {
        world.pass(300);
        assert_eq!(world.sweep().rung, 0);
    }
    world.store.break_order(&mail.order, false);
    world.clock.set(until);
    assert_eq!(world.sweep().rung, 1);
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
}

#[test]
fn law_11_a_mail_without_an_answer_is_uncertain_and_no_doorbell_sends_it_again() {
    let (world, mail) = ripe();
    world.provider.then(Take::Fails(ActError::ambiguous("the connection broke")));
    assert!(matches!(world.ring_to(&mail), RunState::Uncertain { .. }));
    world.ring_to(&world.run_of(mail.seq, Action::Webhook));
    for _ in 0..20 {
        assert_eq!(world.ring(&mail), Answered::Ended);
        world.pass(3_600);
        assert_eq!(world.sweep().rung, 0);
    }
    assert_eq!(world.provider.sent().len(), 1);
    // Only a person who accepts a second mail may say so.
    let refused = done(retry(&world.core, &mail, false)).unwrap().unwrap();
    assert_eq!(refused, Err(InvalidTransition::NotRetryable));
    done(retry(&world.core, &mail, true)).unwrap().unwrap().unwrap();
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
}

#[test]
fn law_11_a_mail_that_was_refused_is_tried_again_and_succeeds() {
    let (world, mail) = ripe();
    world.provider.then(Take::Fails(ActError::retry("slow down")));
    let again = due(&world.ring_to(&mail));
    let wait = again.duration_since(world.now());
    assert!((12..=18).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(world.ring(&mail), Answered::Early(again));
    assert_eq!(world.run(&mail).last_error.as_deref(), Some("slow down"));
    world.clock.set(again);
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
    assert_eq!((world.provider.sent().len(), world.run(&mail).attempts), (2, 2));
}

#[test]
fn a_mail_that_can_never_leave_has_failed_at_once() {
    let (world, mail) = ripe();
    world.provider.then(Take::Fails(ActError::permanent("the address is not valid")));
    let RunState::Failed { error, .. } = world.ring_to(&mail) else { panic!("it should have failed") };
    assert_eq!(error, "the address is not valid");
    assert_eq!(world.ring(&mail), Answered::Ended);
}

#[test]
fn law_11_a_crash_between_claim_and_record_leaves_the_mail_uncertain() {
    let crashes: [fn(&World); 3] = [
        |world| world.provider.then(Take::Hangs),
        |world| world.wire.cut(Side::After, "update_run"),
        |world| world.wire.cut_second(Side::Before, "update_run"),
    ];
    for crash in crashes {
        let (world, mail) = ripe();
        crash(&world);
        crashed(world.answer(&mail));
        let sent = world.provider.sent().len();
        world.pass(44);
        assert_eq!(world.ring(&mail), Answered::Held);
        world.pass(1);
        assert!(matches!(world.ring_to(&mail), RunState::Uncertain { .. }));
        assert_eq!(world.ring(&mail), Answered::Ended);
        assert_eq!(world.provider.sent().len(), sent, "never again");
    }
}

#[test]
fn law_11_a_crash_before_the_claim_loses_nothing() {
    let (world, mail) = ripe();
    world.wire.cut(Side::Before, "update_run");
    crashed(world.answer(&mail));
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
}

#[test]
fn law_10_an_answer_that_comes_after_the_lease_does_not_undo_the_doubt() {
    let (world, mail) = ripe();
    let other = world.clone();
    let id = mail.clone();
    world.provider.while_sending(move || {
        other.pass(60);
        assert!(matches!(other.ring_to(&id), RunState::Uncertain { .. }));
    });
    assert_eq!(world.ring(&mail), Answered::LeaseLost);
    assert!(matches!(world.state(&mail), RunState::Uncertain { .. }));
}

#[test]
fn the_template_is_the_one_that_stood_when_the_event_was_decided() {
    let (world, mail) = ripe();
    let edited = build::template(&build::shop(), 2);
    let id = edited.id.clone();
    world.save_with(ConfigChange::Template(edited), |settings| {
        settings.templates.insert(id, 2);
    });
    world.ring_to(&mail);
    assert_eq!(world.provider.sent()[0].subject, "Order #1001 (v1)");
    let next = world.run_of(world.enter("ready"), Action::Email);
    world.pass(10);
    world.ring_to(&next);
    assert_eq!(world.provider.sent()[1].subject, "Order #1001 (v2)");
}

#[test]
fn law_10_two_doorbells_at_once_send_one_mail() {
    let (world, mail) = ripe();
    let answer = Arc::new(Notify::new());
    world.provider.then(Take::WaitsFor(Arc::clone(&answer)));
    let (one, two, ()) = done(async {
        tokio::join!(world.answer(&mail), world.answer(&mail), async {
            for _ in 0..100 {
                breathe().await;
            }
            answer.notify_one();
        })
    });
    let recorded = [one.unwrap(), two.unwrap()];
    assert_eq!(recorded.iter().filter(|a| matches!(a, Answered::Recorded(_))).count(), 1, "{recorded:?}");
    assert_eq!(world.provider.sent().len(), 1);
    assert!(matches!(world.state(&mail), RunState::Succeeded { .. }));
}

#[test]
fn law_12_a_move_taken_back_in_the_grace_takes_all_its_runs_back() {
    let world = World::new();
    let seq = world.go("packing", build::person());
    let (mail, call) = (world.run_of(seq, Action::Email), world.run_of(seq, Action::Webhook));
    world.pass(5);
    let by_seq = world.go("new", build::person());
    world.pass(5);
    for run in [mail, call] {
        assert!(skipped(SkipReason::Superseded { by_seq })(&world.ring_to(&run)));
    }
    assert!(world.provider.sent().is_empty() && world.receiver.posts().is_empty());
}

#[test]
fn law_9_a_mail_waits_while_its_order_is_on_hold() {
    let world = World::new();
    // A program that goes round and round trips the breaker.
    for stage in ["packing", "new", "packing", "new", "packing"] {
        world.enter(stage);
    }
    let mail = world.run_of(world.order().seq, Action::Email);
    let seq = world.order().seq;
    world.tell(&stagepost_domain::fact::Fact::Move(stagepost_domain::fact::MoveFact {
        stage: build::stage_id("new"),
        expected_seq: seq,
        actor: build::program(),
        follows: stagepost_domain::fact::Follows::All,
    }));
    assert!(world.order().hold.is_some());
    world.pass(10);
    let wait = due(&world.ring_to(&mail)).duration_since(world.now());
    assert_eq!((wait, world.provider.sent().len()), (HOLD_LOOK_AGAIN, 0));
    assert_eq!(
        world.run(&mail).wanted_from(world.now()),
        later(world.now(), HOLD_LOOK_AGAIN),
        "a hold is no lag"
    );
    assert!(HOLD_LOOK_AGAIN > SignedDuration::ZERO && world.run(&mail).attempts == 0);
}

/// Rings for a mail of an order of its own; gives how it stands then.
fn rung(world: &World, mail: &RunId, pace: Pace) -> Run {
    let office = PostOffice { pace, ..build::office(Links) };
    match done(email(&world.core, &world.provider, &office, mail)).unwrap().answered {
        Answered::Recorded(run) => *run,
        other => panic!("{other:?}"),
    }
}

#[test]
fn law_11_a_mail_beyond_its_senders_rate_waits_for_its_place_without_an_attempt() {
    let (world, mail) = ripe();
    let pace = Pace::per_second(1);
    // Three others were here just before.
    let mut seen = None;
    for _ in 0..3 {
        let next = pace.place(seen, world.now()).next;
        assert_eq!(done(world.store.move_line("account", seen, world.now(), next)).unwrap(), Line::Moved);
        seen = Some(next);
    }
    let waits = rung(&world, &mail, pace);
    let place = later(world.now(), SignedDuration::from_secs(3));
    assert_eq!(
        (&waits.state, waits.slot, waits.attempts),
        (&RunState::Pending { due: place }, Some(place), 0)
    );
    assert!(world.provider.sent().is_empty());
    world.pass(3);
    let sent = rung(&world, &mail, pace);
    assert!(matches!(sent.state, RunState::Succeeded { .. }), "its place was kept: {sent:?}");
    assert_eq!((sent.attempts, sent.slot), (1, None));
}

#[test]
fn law_11_a_rate_that_the_provider_itself_tells_of_costs_no_attempt() {
    let (world, mail) = ripe();
    world.provider.then(Take::TooFast);
    let waits = rung(&world, &mail, Pace::per_second(1_000));
    assert_eq!((waits.attempts, waits.last_error.as_deref()), (0, Some("sending too fast")));
    let wait = due(&waits.state).duration_since(world.now());
    assert!((4..=6).contains(&wait.as_secs()), "{wait}");
}

#[test]
fn law_13_a_mail_to_a_suppressed_address_is_skipped_with_the_reason() {
    let (world, mail) = ripe();
    let office = build::office(Links);
    let id = suppression_id(&office.addresses, &build::shop(), "ADA@customer.test").unwrap();
    let because = Because::HardBounce;
    let aside = Suppression {
        id,
        shop: build::shop(),
        address: Sealed("sealed".into()),
        because,
        since: world.now(),
        run: None,
    };
    done(world.store.suppress(&aside)).unwrap();
    assert!(skipped(SkipReason::Suppressed { because })(&world.ring_to(&mail)));
    assert!(world.provider.sent().is_empty());
}

/// What a provider tells of a mail to the demo's customer.
fn told(mail: &RunId, word: Word) -> MailEvent {
    MailEvent {
        run: mail.clone(),
        message: "message-1".into(),
        at: build::seconds(20),
        word,
        addresses: vec!["ada@customer.test".into()],
    }
}

fn heard(world: &World, event: &MailEvent) -> Result<Listened, ListenError> {
    let key = build::office(Links).addresses;
    done(listen(&world.core, &OpenVault, &key, event))
}

#[test]
fn law_11_what_the_provider_tells_later_settles_a_mail_in_doubt() {
    let (world, mail) = ripe();
    world.provider.then(Take::Fails(ActError::ambiguous("no answer")));
    assert!(matches!(world.ring_to(&mail), RunState::Uncertain { .. }));
    let delivered = told(&mail, Word::Fate(Fate::Delivered));
    assert_eq!(heard(&world, &delivered).unwrap(), Listened::Recorded);
    assert!(matches!(world.state(&mail), RunState::Succeeded { .. }));
    assert_eq!(world.run(&mail).feedback.unwrap().fate, Fate::Delivered);
    let writes = world.store.writes();
    assert_eq!(heard(&world, &delivered).unwrap(), Listened::Nothing, "told twice");
    assert_eq!(world.store.writes(), writes);
    assert_eq!(world.provider.sent().len(), 1);
    let mut nobodys = delivered;
    nobodys.run.seq = 99;
    assert_eq!(heard(&world, &nobodys).unwrap(), Listened::Unknown);
}

#[test]
fn a_hard_bounce_shows_on_the_run_and_suppresses_the_address() {
    let (world, mail) = ripe();
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
    heard(&world, &told(&mail, Word::Fate(Fate::SoftBounced))).unwrap();
    let all = || done(world.store.suppressions(&build::shop(), None, 10)).unwrap().items;
    assert!(all().is_empty(), "what comes back for now may arrive next time");
    heard(&world, &told(&mail, Word::Fate(Fate::HardBounced))).unwrap();
    assert_eq!(world.run(&mail).feedback.unwrap().fate, Fate::HardBounced);
    assert_eq!((all().len(), all()[0].because), (1, Because::HardBounce));
    assert_eq!(all()[0].run.as_ref(), Some(&mail));
    // The next mail of the order finds it.
    world.enter("new");
    let next = world.run_of(world.enter("packing"), Action::Email);
    world.pass(11);
    assert!(skipped(SkipReason::Suppressed { because: Because::HardBounce })(&world.ring_to(&next)));
}

#[test]
fn a_shop_whose_mails_come_back_too_often_is_stopped_and_released_by_hand() {
    let (world, mail) = ripe();
    assert!(matches!(world.ring_to(&mail), RunState::Succeeded { .. }));
    let shop = build::shop();
    for n in 0..99 {
        let what = if n < 5 { Counted::Bounced } else { Counted::Delivered };
        done(world.store.count_fate(&shop, week(world.now()), what)).unwrap();
    }
    let bounced = heard(&world, &told(&mail, Word::Fate(Fate::HardBounced)));
    assert_eq!(bounced.unwrap(), Listened::Stopped, "whoever runs the deployment hears of it");
    let paused = done(world.store.governor(&shop)).unwrap().paused.unwrap();
    assert_eq!((paused.because, paused.count, paused.usual), (TooMany::Bounces, 6, 100));
    let released = done(release(&world.core, &shop)).unwrap();
    assert_eq!(released.paused, None);
    assert_eq!(released.forgiven.unwrap().1.bounced, 6);
}

#[test]
fn a_word_of_a_mail_that_is_still_being_sent_comes_back_later() {
    let (world, mail) = ripe();
    world.provider.then(Take::Hangs);
    crashed(world.answer(&mail));
    let event = told(&mail, Word::Fate(Fate::Delivered));
    assert!(matches!(heard(&world, &event), Err(ListenError::TooEarly)));
}
