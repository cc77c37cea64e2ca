//! A deterministic simulation: the real use cases over the store in memory and far ends with a will of their
//! own. A seed chooses what happens next; the laws are checked after every step, and at the end, when
//! nothing fails any more, everything must settle and be accounted for.
//!
//! One thread, no real time, no network: the same seed gives the same world, step by step. Functions are
//! futures that are polled by hand, so that one can stand still at any place where it waits for another
//! machine, be overtaken there, or die there.

mod carriers;
mod chaos;
mod dice;
mod ends;
mod finale;
mod laws;
mod planted;
mod platform;
mod schedule;
mod work;
mod world;

use std::collections::VecDeque;
use std::fmt;

pub use planted::Bug;

use laws::{Broken, Laws};
use world::World;

/// Steps told of a failed world.
const TRACE_MAX: usize = 40;

/// What one world, or many of them, came to: a simulation in which nothing happens proves nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Worlds.
    pub worlds: usize,
    /// Steps before the end.
    pub steps: usize,
    /// Functions begun.
    pub tasks: usize,
    /// Functions that died on the way.
    pub crashes: usize,
    /// Faults of the store.
    pub faults: usize,
    /// Events decided.
    pub events: usize,
    /// Stage entries that nobody made by hand.
    pub automatic_moves: usize,
    /// Mails that left.
    pub mails: usize,
    /// Mails of which nobody knows.
    pub uncertain: usize,
    /// Webhook calls that arrived.
    pub calls: usize,
    /// Fulfillments made by us.
    pub ours: usize,
    /// Fulfillments made by others.
    pub theirs: usize,
    /// Runs decided against.
    pub skipped: usize,
    /// Parcels registered with a carrier service.
    pub registered: usize,
    /// Orders that the breaker stopped.
    pub held: usize,
}

impl Stats {
    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            worlds: self.worlds + other.worlds,
            steps: self.steps + other.steps,
            tasks: self.tasks + other.tasks,
            crashes: self.crashes + other.crashes,
            faults: self.faults + other.faults,
            events: self.events + other.events,
            automatic_moves: self.automatic_moves + other.automatic_moves,
            mails: self.mails + other.mails,
            uncertain: self.uncertain + other.uncertain,
            calls: self.calls + other.calls,
            ours: self.ours + other.ours,
            theirs: self.theirs + other.theirs,
            skipped: self.skipped + other.skipped,
            registered: self.registered + other.registered,
            held: self.held + other.held,
        }
    }
}

/// A law that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Repeats the world.
    pub seed: u64,
    /// The step after which it was noticed.
    pub step: usize,
    /// Which law.
    pub law: &'static str,
    /// What was seen.
    pub why: String,
    /// The last 40 steps.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks a law after step {}: {}: {}", self.seed, self.step, self.law, self.why)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// Lives one world through.
///
/// # Errors
/// A law did not hold.
pub fn simulate(seed: u64) -> Result<Stats, Box<Failure>> {
    simulate_with(seed, None)
}

/// The same with a bug planted.
///
/// # Errors
/// A law did not hold.
pub fn simulate_with(seed: u64, bug: Option<Bug>) -> Result<Stats, Box<Failure>> {
    let mut life = Life { laws: Laws::default(), trace: VecDeque::new() };
    let mut world = World::new(seed, bug);
    life.live(&mut world).map_err(|Broken { law, why }| {
        let (step, trace) = (world.stats.steps, life.trace.into_iter().collect());
        Box::new(Failure { seed, step, law, why, trace })
    })
}

struct Life {
    laws: Laws,
    trace: VecDeque<String>,
}

impl Life {
    fn live(&mut self, world: &mut World) -> Result<Stats, Broken> {
        self.laws.begin(world);
        let steps = 60 + world.dice.below(90);
        for _ in 0..steps {
            world.stats.steps += 1;
            let said = world.step()?;
            self.after(world, said)?;
        }
        let settled = world.settle(|world, said| self.after(world, said))?;
        self.laws.at_the_end(world, settled)
    }

    fn after(&mut self, world: &mut World, said: String) -> Result<(), Broken> {
        if self.trace.len() == TRACE_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{} {said}", world.clock_text()));
        self.laws.after_step(world)
    }
}
