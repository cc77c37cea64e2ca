//! Both directions at once never loop: any interleaving of doorbells, crashes, lost calls, notifications,
//! the merchant's own fulfillments and people's moves (laws 5 to 7, 10).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use proptest::prelude::{Just, Strategy};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};
use stagepost_app::apply::apply;
use stagepost_app::ports::ActError;
use stagepost_app::run::{Answered, RunnerError};
use stagepost_domain::event::{Action, Change};
use stagepost_domain::fact::{Coverage, Fact, Follows, MoveFact, PackageEdit};
use stagepost_domain::flow::Automations;
use stagepost_domain::fulfillment::Attribution;
use stagepost_domain::run::RunId;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_testkit::build;

use super::far_end::{Call, Lands};
use super::wire::done;
use super::world::{World, id};

/// No function lives longer: shorter than the lease of its claim and lock.
const FUNCTION_TIMEOUT: SignedDuration = SignedDuration::from_secs(120);

#[derive(Debug, Clone)]
enum Act {
    /// A doorbell rings for one of the fulfill runs.
    Ring(usize),
    /// One of the functions goes on by so many steps.
    Step(usize, usize),
    /// One of the functions stops without a word.
    Crash(usize),
    /// The platform tells one of the states that it ever had, the order or the fulfillment alone.
    Notify(usize),
    /// The merchant fulfills all that remains.
    Merchant,
    /// The merchant fulfills a part.
    MerchantPart,
    /// Somebody moves the order.
    Move(&'static str, bool),
    /// Time goes by.
    Pass(i64),
    /// The next call ends like this.
    NextCall(Call),
    /// The next look fails.
    NextLook(bool),
    /// Wake sweeps, and its rings are answered up to the first step.
    Wake,
}

fn act() -> impl Strategy<Value = Act> {
    let call = prop_oneof![
        Just(Call::Lost(Lands::Never)),
        Just(Call::Lost(Lands::Now)),
        Just(Call::Lost(Lands::After(25))),
        Just(Call::Hangs(Lands::Never)),
        Just(Call::Hangs(Lands::Now)),
        Just(Call::Hangs(Lands::After(100))),
        Just(Call::Fails(ActError::retry("throttled"))),
        Just(Call::Fails(ActError::permanent("refused"))),
    ];
    prop_oneof![
        3 => (0_usize..4).prop_map(Act::Ring),
        8 => (0_usize..4, 1_usize..40).prop_map(|(which, steps)| Act::Step(which, steps)),
        1 => (0_usize..4).prop_map(Act::Crash),
        4 => (0_usize..12).prop_map(Act::Notify),
        1 => Just(Act::Merchant),
        1 => Just(Act::MerchantPart),
        1 => (proptest::sample::select(vec!["new", "packing", "ready"]), proptest::bool::ANY)
            .prop_map(|(stage, person)| Act::Move(stage, person)),
        4 => proptest::sample::select(vec![1_i64, 5, 12, 31, 60, 151, 700]).prop_map(Act::Pass),
        2 => call.prop_map(Act::NextCall),
        1 => proptest::bool::ANY.prop_map(Act::NextLook),
        1 => Just(Act::Wake),
    ]
}

type Function = Pin<Box<dyn Future<Output = Result<Answered, RunnerError>>>>;

struct Play {
    world: World,
    functions: Vec<(Timestamp, Function)>,
    /// Every state that the platform ever had, as it would tell it.
    told: Vec<Fact>,
    seen: usize,
}

impl Play {
    fn new(both_in_one_stage: bool, marks: bool, parts: usize, behind: i64) -> Self {
        let mut world = World::empty(|flow| {
            for stage in &mut flow.stages {
                stage.automations = Automations::default();
            }
            flow.stages[2].automations.fulfill = build::fulfills();
            if both_in_one_stage {
                flow.fulfilled_stage = Some(build::stage_id("ready"));
            }
        });
        world.platform.behind(behind);
        world.platform.in_parts(parts);
        if marks {
            world.platform.keeps_marks();
        }
        world.tell(&build::told(build::order_fact(1001, 0)));
        let edit = PackageEdit::Add(build::parcel("OURS-1"));
        world.tell(&Fact::Packages { edit, actor: build::person() });
        world.pass(100);
        world.enter("ready");
        Self { world, functions: Vec::new(), told: Vec::new(), seen: 0 }
    }

    fn runs(&self) -> Vec<RunId> {
        let with_runs = self.world.events().into_iter().filter(|e| !e.runs.is_empty());
        with_runs.map(|e| self.world.run_of(e.seq, Action::Fulfill)).collect()
    }

    fn start(&mut self, run: RunId) {
        let world = self.world.clone();
        let function = Box::pin(async move { world.answer(&run).await });
        self.functions.push((self.world.now(), function));
    }

    fn step(&mut self, which: usize, steps: usize) {
        if self.functions.is_empty() {
            return;
        }
        let which = which % self.functions.len();
        for _ in 0..steps {
            let function = &mut self.functions[which].1;
            if function.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                drop(self.functions.remove(which));
                return;
            }
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Ring(which) => {
                let runs = self.runs();
                self.start(runs[which % runs.len()].clone());
            }
            Act::Step(which, steps) => self.step(which, steps),
            Act::Crash(which) if !self.functions.is_empty() => {
                drop(self.functions.remove(which % self.functions.len()));
            }
            Act::Crash(_) => {}
            Act::Notify(which) if !self.told.is_empty() => {
                let fact = self.told[which % self.told.len()].clone();
                self.world.tell(&fact);
            }
            Act::Notify(_) => {}
            Act::Merchant => self.world.platform.merchant_fulfills("THEIRS-1"),
            Act::MerchantPart => self.world.platform.merchant_fulfills_a_part("THEIRS-2"),
            Act::Move(stage, person) => self.walk(stage, person),
            Act::Pass(seconds) => {
                self.world.pass(seconds);
                let now = self.world.now();
                self.functions.retain(|(started, _)| now.duration_since(*started) < FUNCTION_TIMEOUT);
            }
            Act::NextCall(call) => self.world.platform.then(call),
            Act::NextLook(retry) => self.world.platform.look_fails(match retry {
                true => ActError::retry("throttled"),
                false => ActError::ambiguous("no answer"),
            }),
            Act::Wake => {
                self.world.sweep();
                for ring in self.world.bell.heard() {
                    self.start(ring.run);
                }
            }
        }
        self.listen();
    }

    fn walk(&self, stage: &str, person: bool) {
        let actor = if person { build::person() } else { build::program() };
        let expected_seq = self.world.order().seq;
        let wish = Fact::Move(MoveFact {
            stage: build::stage_id(stage),
            expected_seq,
            actor,
            follows: Follows::All,
        });
        // The breaker may refuse a program: that is another law.
        done(apply(&self.world.plain, &build::shop(), &id(), &wish)).unwrap();
    }

    /// Keeps what the platform would tell of each new fulfillment.
    fn listen(&mut self) {
        let made = self.world.platform.made().len();
        if made > self.seen {
            self.seen = made;
            self.told.push(self.world.platform.order_fact());
            self.told.push(self.world.platform.shipment_fact());
        }
    }

    /// No more faults, no more surprises; everything told once more, in the order in which it happened.
    fn settle_down(&mut self) {
        self.functions.clear();
        self.world.platform.heal();
        // What is on its way arrives.
        self.world.pass(200);
        self.listen();
        if self.world.order().hold.is_some() {
            self.world.tell(&Fact::Resume { actor: build::person() });
        }
        self.world.until_quiet();
        self.listen();
        for fact in self.told.clone() {
            self.world.tell(&fact);
            self.world.tell(&fact);
        }
        self.world.until_quiet();
    }
}

fn check(
    both_in_one_stage: bool,
    marks: bool,
    parts: usize,
    behind: i64,
    acts: Vec<Act>,
) -> Result<(), proptest::test_runner::TestCaseError> {
    let mut play = Play::new(both_in_one_stage, marks, parts, behind);
    for act in acts {
        play.act(act);
    }
    play.settle_down();
    let world = &play.world;
    let order = world.order();
    prop_assert_eq!(&order.fulfillment.lock, &None);
    prop_assert!(world.events().iter().all(|e| e.open_runs() == 0));
    let undetermined = |s: &stagepost_domain::fulfillment::Shipment| s.by == Attribution::Undetermined;
    prop_assert!(!order.fulfillment.shipments.values().any(undetermined));

    let made = world.platform.made();
    let mut done_parts: Vec<_> = made.iter().map(|m| m.part).collect();
    done_parts.dedup();
    prop_assert_eq!(done_parts.len(), made.len(), "each part once");
    for one in &made {
        let told = &order.fulfillment.shipments[&one.id].by;
        prop_assert_eq!(
            matches!(told, Attribution::Ours { .. }),
            one.marker.is_some(),
            "{:?} told as {:?}",
            one,
            told
        );
    }
    let edges: Vec<_> = world
        .events()
        .into_iter()
        .filter_map(|e| match e.change {
            Change::Fulfillment { by, .. } => by,
            _ => None,
        })
        .collect();
    let moves = world
        .events()
        .iter()
        .filter(|e| {
            e.transition.is_some()
                && matches!(e.cause, stagepost_domain::event::Cause::PlatformFulfillment { .. })
        })
        .count();
    let complete = world.platform.coverage() == Coverage::Complete;
    prop_assert_eq!(order.fulfillment.coverage == Coverage::Complete, complete);
    let theirs = complete && made.last().is_some_and(|m| m.marker.is_none());
    prop_assert_eq!(edges.iter().filter(|by| **by == Attribution::Theirs).count(), usize::from(theirs));
    prop_assert!(moves <= usize::from(theirs), "our own fulfillment moves nothing");
    Ok(())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn law_5_both_directions_never_loop(
        both_in_one_stage: bool,
        marks: bool,
        parts in 1_usize..=3,
        behind in 0_i64..=4,
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        let parts = if marks { 1 } else { parts };
        check(both_in_one_stage, marks, parts, behind, acts)?;
    }
}
