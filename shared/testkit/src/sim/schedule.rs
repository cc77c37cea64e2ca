//! What happens next: the seed chooses among everything that could.

use stagepost_app::config::{FlowInput, StageInput, TemplateInput};
use stagepost_domain::SignedDuration;
use stagepost_domain::event::Actor;
use stagepost_domain::fact::{Fact, Follows, MoveFact, PackageEdit};
use stagepost_domain::flow::{Flow, FulfilledWhen};
use stagepost_domain::id::OrderId;
use stagepost_domain::order::Source;
use stagepost_domain::package::PackagePatch;
use stagepost_domain::run::{RunId, RunState, later};

use super::planted::Bug;
use super::platform::{Note, Told};
use super::work::{Task, Trouble, Work};
use super::world::{World, at_once};
use crate::build;

/// Waits until whoever goes on is taken for hanging.
const WAITS_MAX: usize = 600;

/// What a step did, in words; or what it found in the store that must not be there.
pub(super) type Said = Result<String, String>;

impl World {
    /// One step. An error is a broken promise of the store.
    pub fn step(&mut self) -> Said {
        if let Some(work) = self.an_eager_move() {
            return self.begin(work);
        }
        for _ in 0..20 {
            let done = match self.dice.below(100) {
                0..24 => self.take_note(),
                24..44 => self.answer_ring(),
                44..52 => self.hand_on(),
                52..56 => Some(self.begin(Work::Wake)),
                56..66 => self.resume(),
                66..69 => self.crash(),
                69..80 => Some(Ok(self.let_time_pass())),
                80..87 => self.hands.market.merchant_acts().map(|what| Ok(format!("merchant {what}"))),
                87..91 => self.carriers.scan().map(|what| Ok(format!("carrier: {what}"))),
                91..97 => self.somebody_asks(),
                _ => self.merchant_edits(),
            };
            if let Some(done) = done {
                return done;
            }
        }
        Ok(self.let_time_pass())
    }

    // ------------------------------------------------------------ functions

    /// Begins a piece of work and goes on with it: mostly to its end, sometimes only so far.
    pub fn begin(&mut self, work: Work) -> Said {
        let (work, fact) = self.built(work);
        let task = Task::start(&self.hands, work, fact);
        self.stats.tasks += 1;
        let waits = if self.dice.fault(30) { 1 + self.dice.below(14) } else { WAITS_MAX };
        self.go_on(task, waits)
    }

    /// A notification that is built when it goes out is what it is from then on.
    fn built(&mut self, work: Work) -> (Work, Option<(OrderId, Fact)>) {
        let Work::Note(mut note) = work else { return (work, None) };
        let built = match &note.what {
            Told::AsItIs { external_id } => self.hands.market.as_it_is(external_id),
            Told::Fact { order, fact } => Some((order.clone(), (**fact).clone())),
            Told::Tracking(_) => None,
        };
        if let Some((order, fact)) = built.clone() {
            note.what = Told::Fact { order, fact: Box::new(fact) };
        }
        self.told += 1;
        let count = self.told;
        let bent = built.map(|(order, fact)| (order, Bug::bend_fact(self.bug, fact, count)));
        (Work::Note(note), bent)
    }

    fn go_on(&mut self, mut task: Task, waits: usize) -> Said {
        let name = task.name.clone();
        match task.go_on(waits) {
            None => {
                self.tasks.push(task);
                Ok(format!("{name}: stands still"))
            }
            Some(Ok(said)) => {
                self.again_perhaps(task.work);
                Ok(format!("{name}: {said}"))
            }
            Some(Err(Trouble::Again(why))) => {
                self.back(task.work);
                Ok(format!("{name}: {why}"))
            }
            Some(Err(Trouble::Corrupt(why))) => Err(format!("{name}: {why}")),
        }
    }

    fn resume(&mut self) -> Option<Said> {
        let task = self.some_task()?;
        let waits = if self.dice.fault(50) { 1 + self.dice.below(8) } else { WAITS_MAX };
        Some(self.go_on(task, waits))
    }

    fn crash(&mut self) -> Option<Said> {
        let task = self.some_task()?;
        Some(Ok(self.kill(task)))
    }

    fn some_task(&mut self) -> Option<Task> {
        let chosen = self.dice.below(self.tasks.len());
        (chosen < self.tasks.len()).then(|| self.tasks.swap_remove(chosen))
    }

    /// The function dies where it stands, and its future is dropped there.
    pub fn kill(&mut self, task: Task) -> String {
        let name = task.name.clone();
        self.stats.crashes += 1;
        self.back(task.work.clone());
        drop(task);
        format!("{name}: dies")
    }

    /// What was not answered comes back, if it came from a queue.
    fn back(&mut self, work: Work) {
        match work {
            Work::Note(note) => self.ground.inbox.put(Note { again: note.again + 1, ..note }),
            Work::Ring(message) => self.hands.bell.queue.put(message),
            Work::Record(event) if self.dice.chance(70) => self.hands.core.store.stream.put(*event),
            _ => {}
        }
    }

    /// What was answered may come once more.
    fn again_perhaps(&mut self, work: Work) {
        if !self.dice.fault(15) {
            return;
        }
        match work {
            Work::Note(note) => {
                let not_before = later(self.now(), self.dice.delay());
                self.ground.inbox.put(Note { again: note.again + 1, not_before, ..note });
            }
            other => self.back(other),
        }
    }

    // ------------------------------------------------------------ what comes in

    fn take_note(&mut self) -> Option<Said> {
        let now = self.now();
        let note = self.ground.inbox.take_one(&self.dice, |n| n.not_before <= now)?;
        Some(self.begin(Work::Note(note)))
    }

    fn answer_ring(&mut self) -> Option<Said> {
        let now = self.now();
        let message = self.hands.bell.queue.take_one(&self.dice, |m| m.not_before <= now)?;
        if self.dice.fault(8) {
            return Some(Ok(format!("lost: ring {}", message.run)));
        }
        Some(self.begin(Work::Ring(message)))
    }

    fn hand_on(&mut self) -> Option<Said> {
        let event = self.hands.core.store.stream.take_one(&self.dice, |_| true)?;
        if self.dice.fault(15) {
            return Some(Ok(format!("lost: stream {} {}", event.order, event.seq)));
        }
        Some(self.begin(Work::Record(Box::new(event))))
    }

    // ------------------------------------------------------------ time

    fn let_time_pass(&mut self) -> String {
        let seconds = match self.dice.below(100) {
            0..40 => self.dice.between(1, 12),
            40..70 => self.dice.between(10, 70),
            70..86 => self.dice.between(60, 400),
            86..97 => self.dice.between(400, 30_000),
            _ => self.dice.between(80_000, 900_000),
        };
        let died = self.pass(SignedDuration::from_secs(seconds));
        format!("{seconds} s pass{died}")
    }

    /// Lets time pass. Functions whose time is over are dead before it has.
    pub fn pass(&mut self, by: SignedDuration) -> String {
        let then = later(self.now(), by);
        let (dying, living) = std::mem::take(&mut self.tasks).into_iter().partition(|t| t.until <= then);
        self.tasks = living;
        let dying: Vec<Task> = dying;
        let died: String = dying.into_iter().map(|task| format!("; {}", self.kill(task))).collect();
        self.clock.set(then);
        died
    }

    // ------------------------------------------------------------ people and programs

    fn somebody_asks(&mut self) -> Option<Said> {
        let work = match self.dice.below(100) {
            0..50 => self.a_move()?,
            50..72 => self.a_package()?,
            72..84 => self.an_order()?,
            84..92 => {
                let all = self.order_ids();
                let fact = Fact::Resume { actor: build::person() };
                Work::Wish(self.dice.pick(&all)?.clone(), Box::new(fact))
            }
            _ => self.a_retry()?,
        };
        Some(self.begin(work))
    }

    fn actor(&self) -> Actor {
        if self.dice.chance(50) { build::person() } else { build::program() }
    }

    fn a_move(&mut self) -> Option<Work> {
        let all = self.order_ids();
        let id = self.dice.pick(&all)?.clone();
        let (order, flow) = (self.order(&id)?, self.flow()?);
        let stage = self.dice.pick(&flow.stages)?.id.clone();
        // Some screens are stale.
        let seen = if self.dice.chance(10) { order.seq.saturating_sub(1) } else { order.seq };
        let wish = MoveFact { stage, expected_seq: seen, actor: self.actor(), follows: Follows::All };
        Some(Work::Wish(id, Box::new(Fact::Move(wish))))
    }

    /// A program that knows no end: the first order goes to and fro between the same two stages.
    fn an_eager_move(&self) -> Option<Work> {
        if !self.eager || !self.dice.chance(20) {
            return None;
        }
        let id = self.order_ids().first()?.clone();
        let (order, flow) = (self.order(&id)?, self.flow()?);
        let stage = flow.stages.iter().take(2).map(|s| &s.id).find(|id| order.stage() != Some(id))?.clone();
        let wish =
            MoveFact { stage, expected_seq: order.seq, actor: build::program(), follows: Follows::All };
        Some(Work::Wish(id, Box::new(Fact::Move(wish))))
    }

    fn a_package(&mut self) -> Option<Work> {
        let all = self.order_ids();
        let id = self.dice.pick(&all)?.clone();
        let edit = if self.dice.chance(75) {
            PackageEdit::Add(build::parcel(&self.carriers.set_out()))
        } else {
            let packages = at_once(stagepost_app::ports::OrderStore::packages(&self.store, &id))?.ok()?;
            let id = self.dice.pick(&packages)?.id.clone();
            // Some are corrected instead.
            match self.carriers.on_request() && self.dice.chance(50) {
                true => PackageEdit::Correct(id, self.another_number()),
                false => PackageEdit::Remove(id),
            }
        };
        Some(Work::Wish(id, Box::new(Fact::Packages { edit, actor: self.actor() })))
    }

    fn another_number(&self) -> PackagePatch {
        PackagePatch { number: Some(Some(self.carriers.set_out())), ..PackagePatch::default() }
    }

    /// An order over the API, new or once more.
    fn an_order(&mut self) -> Option<Work> {
        let source = self.dice.pick(&self.own)?.clone();
        Some(self.upsert(source))
    }

    pub fn upsert(&self, source: Source) -> Work {
        let now = self.now();
        let mut fact = build::order_fact(0, 0);
        (fact.updated_at, fact.created_at, fact.armed_at) = (None, now, None);
        fact.number.clone_from(&source.external_id);
        fact.source = source.clone();
        Work::Wish(source.order_id(&build::shop()), Box::new(build::told(fact)))
    }

    fn a_retry(&mut self) -> Option<Work> {
        let ended = self.runs(|state| {
            matches!(state, RunState::Failed { .. } | RunState::Uncertain { .. } | RunState::Succeeded { .. })
        });
        let run = self.dice.pick(&ended)?.clone();
        Some(Work::Retry { run, accept_duplicate: self.dice.chance(50) })
    }

    /// All runs in such a state.
    pub fn runs(&self, wanted: impl Fn(&RunState) -> bool) -> Vec<RunId> {
        let events = self.order_ids().into_iter().flat_map(|id| self.events(&id));
        events
            .flat_map(|event| {
                let fit: Vec<_> =
                    event.runs.iter().filter(|(_, r)| wanted(&r.state)).map(|(key, _)| key.clone()).collect();
                fit.into_iter().map(move |key| RunId { order: event.order.clone(), seq: event.seq, key })
            })
            .collect()
    }

    // ------------------------------------------------------------ configuration

    fn merchant_edits(&mut self) -> Option<Said> {
        let work = match self.dice.below(10) {
            0..7 => Work::EditFlow(self.edited_flow(self.flow()?)?),
            7..9 => Work::EditTemplate(TemplateInput {
                name: "News".to_owned(),
                subject: format!("Order {{{{orderNumber}}}} (edit {})", self.stats.steps),
                html: None,
                text: Some("Hello {{customerName}}, your order is now {{stageName}}.".to_owned()),
            }),
            _ => Work::EditGrace(u32::try_from(self.dice.below(60)).unwrap_or_default()),
        };
        Some(self.begin(work))
    }

    fn edited_flow(&self, mut flow: Flow) -> Option<FlowInput> {
        let dice = &self.dice;
        let chosen = dice.below(flow.stages.len());
        let stage = flow.stages.get_mut(chosen)?;
        match dice.below(8) {
            0 | 1 => stage.automations.email = build::mails().filter(|_| stage.automations.email.is_none()),
            2 => stage.automations.webhook = build::calls().filter(|_| stage.automations.webhook.is_none()),
            3 => {
                stage.automations.fulfill = build::fulfills().filter(|_| stage.automations.fulfill.is_none())
            }
            4 => stage.name = format!("Stage {}", self.stats.steps),
            5 => flow.fulfilled_stage = dice.pick(&flow.stages).map(|s| s.id.clone()),
            6 => {
                flow.fulfilled_when = match flow.fulfilled_when {
                    FulfilledWhen::First => FulfilledWhen::Complete,
                    FulfilledWhen::Complete => FulfilledWhen::First,
                }
            }
            _ => flow.stages.swap(chosen, 2),
        }
        Some(written_out(flow))
    }
}

fn written_out(flow: Flow) -> FlowInput {
    let stages = flow.stages.into_iter().map(|s| StageInput {
        id: Some(s.id),
        name: s.name,
        color: s.color,
        description: s.description,
        customer_visible: s.customer_visible,
        automations: s.automations,
    });
    FlowInput {
        name: flow.name,
        stages: stages.collect(),
        default_stage: Some(flow.default_stage.to_string()),
        fulfilled_stage: flow.fulfilled_stage.map(|s| s.to_string()),
        fulfilled_when: flow.fulfilled_when,
        successors: std::collections::BTreeMap::new(),
    }
}
