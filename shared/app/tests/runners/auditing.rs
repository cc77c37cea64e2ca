//! The audit: what has fallen out of the index is put back, what is missing is told, and where all is well nothing is.

use stagepost_app::audit::{Finding, look_at};
use stagepost_app::jobs::{Worked, keep_up};
use stagepost_app::ports::{CommitError, ConfigChange, ConfigStore, JobStore, RunStore};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Action;
use stagepost_domain::fact::{Fact, PackageEdit};
use stagepost_domain::flow::Retired;
use stagepost_domain::id::JobId;
use stagepost_domain::retention::Retention;
use stagepost_domain::run::RunState;
use stagepost_testkit::build;

use super::wire::done;
use super::world::{World, id};

fn audited(world: &World, since: Option<Timestamp>) -> Vec<Finding> {
    done(look_at(&world.plain, &build::shop(), &id(), since)).unwrap().findings
}

/// The pass of a day, by the shop's own job.
fn pass(world: &World) {
    let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
    done(keep_up(&world.plain, &settings)).unwrap();
    world.pass(24 * 3_600);
    let job = JobId::from_body("audit").unwrap();
    let worked = done(world.work(&world.plain, &build::shop(), &job));
    assert!(matches!(worked, Ok(Worked::Recorded(..))), "{worked:?}");
}

fn with_package(world: &World) {
    let edit = PackageEdit::Add(build::parcel("1Z A1"));
    world.tell(&Fact::Packages { edit, actor: build::person() });
}

#[test]
fn law_13_a_healthy_order_has_nothing_to_find_at_any_time() {
    let world = World::new();
    assert_eq!(audited(&world, None), []);
    with_package(&world);
    for stage in ["packing", "ready", "shipped"] {
        world.enter(stage);
        assert_eq!(audited(&world, None), [], "{stage}: its runs are open");
        world.until_quiet();
        assert_eq!(audited(&world, None), [], "{stage}: they have ended");
    }
}

#[test]
fn law_13_an_event_that_has_fallen_out_of_the_due_index_is_put_back_and_rung() {
    let world = World::new();
    let seq = world.enter("packing");
    world.store.lose_place(&id(), seq);
    world.pass(3_600);
    assert_eq!(world.sweep().rung, 0, "nobody would ever ring again");
    assert_eq!(audited(&world, None), [Finding::Misplaced { seq }]);
    assert_eq!(world.sweep().rung, 2, "the mail and the call");
    assert_eq!(audited(&world, None), [], "once");
    world.until_quiet();
    assert!(matches!(world.state(&world.run_of(seq, Action::Email)), RunState::Succeeded { .. }));
}

#[test]
fn law_13_events_that_are_missing_are_told_and_not_invented() {
    for (lost, missing) in [(vec![1], (1, 1)), (vec![2], (2, 2)), (vec![2, 3], (2, 3)), (vec![4], (4, 4))] {
        let world = World::new();
        for stage in ["packing", "new", "packing"] {
            world.enter(stage);
        }
        for seq in &lost {
            world.store.lose_event(&id(), *seq);
        }
        let (from, to) = missing;
        assert_eq!(audited(&world, None), [Finding::Missing { from, to }], "{lost:?}");
        assert!(!Finding::Missing { from, to }.is_mended());
    }
}

#[test]
fn a_pass_looks_down_to_the_first_event_that_the_one_before_it_saw() {
    let world = World::new();
    world.enter("packing");
    world.until_quiet();
    world.store.lose_event(&id(), 1);
    world.pass(10);
    let since = world.now();
    assert_eq!(audited(&world, Some(since)), [], "of before");
    let seq = world.enter("ready");
    world.store.lose_place(&id(), seq);
    assert_eq!(audited(&world, Some(since)), [Finding::Misplaced { seq }], "of since");
}

#[test]
fn a_package_that_no_report_would_find_is_listed_again() {
    let world = World::new();
    with_package(&world);
    world.store.lose_number(&build::shop(), "1Z A1", &id());
    assert!(matches!(audited(&world, None).as_slice(), [Finding::Unlisted { .. }]));
    assert_eq!(audited(&world, None), []);
}

#[test]
fn what_nobody_has_done_for_an_hour_is_told_and_what_is_put_off_is_not() {
    let world = World::new();
    let seq = world.enter("packing");
    let due = world.event(seq).due().unwrap();
    world.pass(3_600);
    assert_eq!(audited(&world, None), [], "to the hour");
    world.pass(1);
    // The sweep that rings it moves its place, not its time.
    world.sweep();
    assert_eq!(audited(&world, None), [Finding::Overdue { seq, due }]);
    world.tell(&Fact::Hold { actor: build::person() });
    for ring in world.bell.heard() {
        world.ring(&ring.run);
    }
    assert_eq!(audited(&world, None), [], "its order is on hold: it was looked at and put off");
}

#[test]
fn law_20_an_order_of_another_shop_is_not_looked_at() {
    let world = World::new();
    let seq = world.enter("packing");
    world.store.lose_place(&id(), seq);
    let looked = done(look_at(&world.plain, &build::other_shop(), &id(), None)).unwrap();
    assert_eq!((looked.events, looked.findings), (0, vec![]));
    assert!(done(world.store.due(Timestamp::MAX, 10)).unwrap().is_empty());
}

#[test]
fn an_audit_that_meets_a_run_as_it_changes_leaves_its_place_to_whoever_changed_it() -> Result<(), CommitError>
{
    let world = World::new();
    let seq = world.enter("packing");
    let call = world.run_of(seq, Action::Webhook);
    let stale = world.event(seq);
    world.ring_to(&call);
    // The audit's write on what it read before.
    let item = stagepost_app::ports::DueItem::Event(Box::new(stale));
    done(world.store.set_due(&item, Some(world.now())))?;
    assert_eq!(audited(&world, None), []);
    Ok(())
}

#[test]
fn a_shop_of_before_there_were_audits_gets_one_and_only_one() {
    let world = World::new();
    for _ in 0..2 {
        let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
        done(keep_up(&world.plain, &settings)).unwrap();
        let jobs = done(world.store.jobs(&build::shop(), None, 10)).unwrap().items;
        assert_eq!(jobs.iter().map(|job| job.kind.code()).collect::<Vec<_>>(), ["audit"]);
        world.pass(60);
    }
}

#[test]
fn an_order_that_cannot_be_read_is_told() {
    let world = World::new();
    world.store.break_order(&id(), true);
    assert_eq!(audited(&world, None), [Finding::Unreadable { seq: None }]);
}

#[test]
fn law_15_an_order_that_a_deleted_stage_kept_goes_silently_to_the_successor() {
    let world = World::new();
    world.enter("packing");
    world.until_quiet();
    pass(&world);
    pass(&world);
    let (mails, seq) = (world.provider.sent().len(), world.order().seq);
    let mut flow = build::flow(&build::shop());
    let gone = flow.stages.remove(1);
    flow.retired.insert(gone.id, Retired { name: gone.name, successor: build::stage_id("ready") });
    flow.version += 1;
    // Without the job that empties the stage, as if that had failed for good.
    world.save(ConfigChange::Flow(flow));
    pass(&world);
    assert_eq!((world.stage().as_str(), world.order().seq), ("ready", seq + 1));
    world.until_quiet();
    assert_eq!(world.provider.sent().len(), mails, "law 4: nothing is sent");
    pass(&world);
    assert_eq!(world.order().seq, seq + 1, "once");
}

#[test]
fn law_19_a_job_that_could_not_be_made_with_the_settings_is_made_by_the_audit() {
    let world = World::new();
    pass(&world);
    world.save_with(ConfigChange::Shop, |settings| {
        settings.retention = Retention { orders_days: Some(30), ..Retention::default() };
    });
    let codes = || {
        let jobs = done(world.store.jobs(&build::shop(), None, 10)).unwrap().items;
        jobs.iter().map(|job| job.kind.code()).collect::<Vec<_>>()
    };
    assert_eq!(codes(), ["audit"]);
    pass(&world);
    assert_eq!(codes().len(), 2, "{:?}", codes());
}

#[test]
fn law_13_an_order_of_a_deleted_stage_that_cannot_be_read_does_not_end_the_audit() {
    let world = World::new();
    world.enter("packing");
    world.until_quiet();
    let mut flow = build::flow(&build::shop());
    let gone = flow.stages.remove(1);
    flow.retired.insert(gone.id, Retired { name: gone.name, successor: build::stage_id("ready") });
    flow.version += 1;
    world.save(ConfigChange::Flow(flow));
    world.store.break_order(&id(), true);
    pass(&world);
    let job = done(world.store.job(&build::shop(), &JobId::from_body("audit").unwrap())).unwrap().unwrap();
    assert_eq!((job.cursor.as_deref(), job.error()), (None, None), "to its end");
    world.store.break_order(&id(), false);
    pass(&world);
    assert_eq!(world.stage(), "ready");
}
