//! Simulations: the same decisions, and nothing written.

use std::sync::Arc;

use stagepost_app::Core;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_app::simulate::{
    Invented, STEPS_MAX, SimulateError, Simulated, Step, Subject, WouldBe, simulate,
};
use stagepost_domain::decide::Refused;
use stagepost_domain::event::Action;
use stagepost_domain::order::Platform;
use stagepost_domain::outcome::{NoOpReason, SkipReason};
use stagepost_domain::package::PackageSeen;
use stagepost_domain::run::RunState;
use stagepost_testkit::{ManualClock, MemoryStore, SeededEntropy, build};

fn invented(platform: Platform, email: Option<&str>) -> Invented {
    let (name, email) = (Some("Somebody".to_owned()), email.map(str::to_owned));
    Invented { flow: build::flow_id(), platform, name, email, package: None, at: None }
}

async fn core() -> Core<MemoryStore> {
    let store = MemoryStore::new();
    let shop = build::shop();
    let changes = [
        ConfigChange::Shop,
        ConfigChange::Flow(build::flow(&shop)),
        ConfigChange::Channel(build::channel(&shop)),
    ];
    for (version, change) in (1..).zip(changes) {
        store.save(&change, &build::settings(&shop, version)).await.unwrap();
    }
    let clock = Arc::new(ManualClock::new(build::seconds(100)));
    Core { store, clock, entropy: Arc::new(SeededEntropy::new(3)), restored_at: None }
}

fn moved(stage: &str) -> Step {
    Step::Move { stage: stage.to_owned() }
}

fn event(simulated: &Simulated) -> &stagepost_domain::event::Event {
    match &simulated.would_be {
        WouldBe::Changed(changes) => &changes.event,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_simulated_is_what_happens_and_nothing_is_written() {
    let core = core().await;
    let id = build::order_id(1);
    apply(&core, &build::shop(), &id, &build::told(build::order_fact(1, 0))).await.unwrap();
    let writes = core.store.writes();
    let subject = Subject::Existing(id.clone());
    let (shop, actor, steps) = (build::shop(), build::person(), [moved("stg_ready")]);
    let plan = simulate(&core, &shop, &actor, &subject, &steps).await.unwrap();
    assert_eq!(core.store.writes(), writes);
    let real = apply(&core, &build::shop(), &id, &build::move_to("ready", 1)).await.unwrap();
    let Outcome::Changed(real) = real else { panic!("{real:?}") };
    assert_eq!(event(&plan[0]), &real.event);
}

#[tokio::test]
async fn an_invented_order_goes_the_whole_way_with_reasons() {
    let core = core().await;
    let subject = Subject::Invented(invented(Platform::Shopify, None));
    let parcel = PackageSeen::parse(Some("1Z1"), None, None).unwrap();
    let steps = [moved("stg_ready"), Step::FulfilledOnPlatform, Step::Package(parcel), Step::Delivered];
    let plan = simulate(&core, &build::shop(), &build::person(), &subject, &steps).await.unwrap();
    assert_eq!(plan.iter().map(|s| s.step).collect::<Vec<_>>(), [None, Some(0), Some(1), Some(2), Some(3)]);
    let mail = event(&plan[1]).runs.iter().find(|(key, _)| key.action() == Action::Email).unwrap().1;
    assert!(matches!(&mail.state, RunState::Skipped { why: SkipReason::NoAddress, .. }), "{mail:?}");
    assert!(event(&plan[2]).transition.is_some(), "to the fulfilled stage");
    assert!(event(&plan[4]).transition.is_some(), "advanced on delivery");
}

#[tokio::test]
async fn what_cannot_happen_is_told_as_such() {
    let core = core().await;
    let subject = Subject::Invented(invented(Platform::Api, Some("a@b.test")));
    let (shop, actor) = (build::shop(), build::person());
    let plan = simulate(&core, &shop, &actor, &subject, &[moved("nowhere"), Step::Delivered]).await.unwrap();
    assert_eq!(plan[1].would_be, WouldBe::Refused(Refused::UnknownStage));
    assert_eq!(plan[2].would_be, WouldBe::NoOp(NoOpReason::UnknownPackage));
    let many = vec![Step::Delivered; STEPS_MAX + 1];
    assert!(simulate(&core, &shop, &actor, &subject, &many).await.is_err());
    let theirs = Subject::Existing(build::order_id(9));
    assert!(matches!(simulate(&core, &shop, &actor, &theirs, &[]).await, Err(SimulateError::NotFound)));
}

#[tokio::test]
async fn an_invented_order_that_stands_somewhere_is_told_from_there_on() {
    let core = core().await;
    let (shop, actor) = (build::shop(), build::person());
    let parcel = PackageSeen::parse(Some("1Z1"), None, None);
    let there = Invented {
        package: parcel,
        at: Some(build::stage_id("shipped")),
        ..invented(Platform::Shopify, None)
    };
    let steps = [Step::FulfilledOnPlatform, Step::Delivered];
    let plan = simulate(&core, &shop, &actor, &Subject::Invented(there.clone()), &steps).await.unwrap();
    assert_eq!(plan.iter().map(|s| s.step).collect::<Vec<_>>(), [Some(0), Some(1)]);
    let moved = event(&plan[1]).transition.as_ref().unwrap();
    assert_eq!(moved.from.as_ref().map(|stage| stage.name.as_str()), Some("Shipped"));
    // A parcel that it comes in with is told.
    let coming = Invented { at: None, ..there.clone() };
    let plan = simulate(&core, &shop, &actor, &Subject::Invented(coming), &[]).await.unwrap();
    assert_eq!(plan.iter().map(|s| s.step).collect::<Vec<_>>(), [None, None]);
    let nowhere = Invented { at: Some(build::stage_id("nowhere")), ..there };
    let refused = simulate(&core, &shop, &actor, &Subject::Invented(nowhere), &[]).await;
    assert!(matches!(refused, Err(SimulateError::Invalid(wrong)) if wrong.field == "stage"));
}
