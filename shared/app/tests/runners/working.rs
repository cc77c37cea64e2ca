//! Jobs: a page that is done twice, an attempt that dies, an invocation that ends.

use stagepost_app::jobs::{MoveRequest, Worked, bulk_move};
use stagepost_app::ports::JobStore;
use stagepost_domain::SignedDuration;
use stagepost_domain::id::{JobId, OrderId};
use stagepost_domain::job::{Job, JobState, Selection};
use stagepost_testkit::build;

use super::wire::{Side, crashed, done};
use super::world::{World, id};

/// Has those orders moved to Packing, a minute after the world began.
fn moving(world: &World, selection: Selection) -> JobId {
    world.pass(60);
    let request = MoveRequest { to: build::stage_id("packing"), selection, actor: build::program() };
    let job = done(bulk_move(&world.plain, &build::shop(), request)).unwrap();
    world.pass(1);
    job.id
}

/// Orders that nobody has.
fn strangers(count: u64) -> Selection {
    let orders: Vec<OrderId> = (0..count).map(|n| build::order_id(5_000 + n)).collect();
    Selection::Orders { orders }
}

fn stored(world: &World, id: &JobId) -> Job {
    done(world.store.job(&build::shop(), id)).unwrap().unwrap()
}

fn work(world: &World, job: &JobId) -> Worked {
    done(world.work(&world.core, &build::shop(), job)).unwrap()
}

/// The attempt at the job does its page and dies before it is recorded; its lease passes.
fn dies_behind_its_page(world: &World, job: &JobId) {
    world.wire.cut_second(Side::Before, "update_job");
    crashed(world.work(&world.core, &build::shop(), job));
    world.pass(150);
}

#[test]
fn law_10_a_page_of_a_bulk_move_that_is_done_twice_moves_no_order_back() {
    let all = Selection::Stage { stage: build::stage_id("new") };
    for selection in [Selection::Orders { orders: vec![id()] }, all] {
        let world = World::new();
        let job = moving(&world, selection);
        dies_behind_its_page(&world, &job);
        assert_eq!(world.stage(), "packing");
        let moved_on = world.enter("ready");
        work(&world, &job);
        world.pass(10);
        assert!(matches!(work(&world, &job), Worked::Recorded(JobState::Done { .. }, _)));
        assert_eq!(
            (world.stage().as_str(), world.order().seq),
            ("ready", moved_on),
            "and nobody is mailed again"
        );
        assert_eq!(stored(&world, &job).progress.changed, 0);
    }
}

#[test]
fn law_10_an_order_that_moved_on_before_its_turn_in_a_bulk_move_stays_there() {
    let world = World::new();
    let job = moving(&world, Selection::Orders { orders: vec![id()] });
    world.enter("shipped");
    work(&world, &job);
    assert_eq!(world.stage(), "shipped", "whoever asked saw it elsewhere");
}

#[test]
fn an_attempt_that_died_counts_as_a_page_that_failed() {
    let world = World::new();
    let job = moving(&world, strangers(1));
    for failures in 1..=6 {
        dies_behind_its_page(&world, &job);
        assert!(matches!(work(&world, &job), Worked::Recorded(JobState::Waiting { .. }, None)));
        let waits = stored(&world, &job);
        assert_eq!((waits.failures, waits.last_error.is_some()), (failures, true));
        world.clock.set(waits.due().unwrap());
    }
    dies_behind_its_page(&world, &job);
    assert!(matches!(work(&world, &job), Worked::Recorded(JobState::Failed { .. }, None)));
    assert_eq!(work(&world, &job), Worked::NotNow);
}

#[test]
fn a_job_that_comes_late_in_its_batch_is_left_to_the_next_invocation() {
    let world = World::new();
    let job = moving(&world, strangers(1));
    let before = stored(&world, &job);
    let deadline = world.now() + SignedDuration::from_secs(60);
    let worked = done(world.work_until(&world.core, &build::shop(), &job, deadline)).unwrap();
    assert_eq!((worked, stored(&world, &job)), (Worked::More, before), "nobody holds it");
    assert!(matches!(work(&world, &job), Worked::Recorded(JobState::Done { .. }, _)));
}

#[test]
fn a_job_that_begins_late_is_put_down_with_its_place_while_there_is_time_to_record_it() {
    let world = World::new();
    let job = moving(&world, strangers(60));
    let deadline = world.now() + SignedDuration::from_secs(90);
    // The first page takes its half a minute.
    let clock = world.clock.clone();
    world.wire.at(Side::After, "order", move || {
        clock.advance(SignedDuration::from_secs(30));
    });
    let worked = done(world.work_until(&world.core, &build::shop(), &job, deadline)).unwrap();
    assert_eq!(worked, Worked::More);
    let put_down = stored(&world, &job);
    assert_eq!((put_down.cursor.as_deref(), put_down.failures), (Some("25"), 0));
    assert_eq!(put_down.state, JobState::Waiting { due: world.now() });
    work(&world, &job);
    assert_eq!(stored(&world, &job).progress.seen, 60);
}
