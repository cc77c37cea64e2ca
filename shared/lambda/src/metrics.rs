//! Metrics, as CloudWatch finds them in the log: a line of JSON that says what of it is a figure (its embedded metric
//! format). A line costs what its bytes cost and waits for nobody.
//!
//! Use cases say what happened, and functions hand it on here; nothing below knows of metrics. A figure is written
//! only when something happened, a batch's in one line. Each name with its dimension is a metric of its own at 0.30
//! USD a month, so nothing here is per shop: the log tells that. Our own hundred lines because the crates for it
//! bring a way of writing wide events, or a registry, along.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use stagepost_app::ports::Clock;
use stagepost_app::run::{Answered, Notable, Rung};
use stagepost_domain::Timestamp;
use stagepost_domain::audit::Audited;
use stagepost_domain::canary::Heard;
use stagepost_domain::event::Action;
use stagepost_domain::job::Told;
use stagepost_domain::run::{Run, RunState};

use crate::env;
use crate::system::SystemClock;

/// Where the figures stand in CloudWatch.
pub const NAMESPACE: &str = "Stagepost";
/// Most values of one metric in a line; CloudWatch reads no more.
const VALUES_MAX: usize = 100;

macro_rules! figures {
    ($($(#[$doc:meta])* $name:ident: $unit:literal,)+) => {
        /// What is measured.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Figure {
            $($(#[$doc])* $name,)+
        }

        impl Figure {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in CloudWatch.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What it is counted in, as CloudWatch calls it.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self {
                    $(Self::$name => $unit,)+
                }
            }
        }
    };
}

figures! {
    /// From when somebody waited for a run to its success. By action.
    RunLag: "Milliseconds",
    /// Runs that did what they were for.
    RunsSucceeded: "Count",
    /// Runs that were given up.
    RunsFailed: "Count",
    /// Runs of which nobody knows whether they did it.
    RunsUncertain: "Count",
    /// Runs that were decided against.
    RunsSkipped: "Count",
    /// Mails that their sender did not take and that wait: it is paused, its quota is used up, or it refuses us.
    MailsRefused: "Count",
    /// Messages that could not be decided on and come back to their queue, whose own age CloudWatch counts no more
    /// once they have come back twice.
    MessagesReturned: "Count",
    /// Notifications that are authentic and could not be read.
    Quarantined: "Count",
    /// Orders that the breaker stopped.
    Held: "Count",
    /// Times that a shop's mails were stopped by the governor.
    MailsStopped: "Count",
    /// Endpoints that were switched off because their receiver is gone or only fails.
    EndpointsDisabled: "Count",
    /// Notifications that wait sealed, because the store was away.
    InboundQueued: "Count",
    /// Events that nobody was rung for, or that are missing.
    AuditFindings: "Count",
    /// How long the canary's order took.
    CanaryLag: "Milliseconds",
    /// Canaries that were late or did not arrive.
    CanaryFailed: "Count",
}

/// What happened in one invocation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures(BTreeMap<(Option<Action>, Figure), Vec<i64>>);

impl From<()> for Figures {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl Figures {
    /// One of these.
    #[must_use]
    pub fn one(figure: Figure) -> Self {
        Self::default().with(figure, 1)
    }

    /// And this.
    #[must_use]
    pub fn with(mut self, figure: Figure, value: i64) -> Self {
        self.0.entry((None, figure)).or_default().push(value);
        self
    }

    /// And all of those.
    pub fn add(&mut self, others: Self) {
        for (key, mut values) in others.0 {
            self.0.entry(key).or_default().append(&mut values);
        }
    }

    /// What a doorbell's answer comes to.
    #[must_use]
    pub fn of_run(action: Action, rung: &Rung, now: Timestamp) -> Self {
        let mut figures = Self::default();
        if let Answered::Recorded(run) = &rung.answered
            && let Some(figure) = counts_as(action, run)
        {
            figures = figures.with(figure, 1);
            let lag = rung.of.as_ref().map(|of| lag_ms(run, of.at, now));
            if let (Figure::RunsSucceeded, Some(lag)) = (figure, lag) {
                figures.0.entry((Some(action), Figure::RunLag)).or_default().push(lag);
            }
        }
        match rung.notable {
            Some(Notable::MailsStopped) => figures.with(Figure::MailsStopped, 1),
            Some(Notable::EndpointDisabled) => figures.with(Figure::EndpointsDisabled, 1),
            None => figures,
        }
    }

    /// What a job's turn is to be heard of for: what an audit found, if anything; what a canary's mail came to, and
    /// how long it took if it left.
    #[must_use]
    pub fn of_job(told: Told) -> Self {
        match told {
            Told::Audited(Audited { findings: 0, .. }) => Self::default(),
            Told::Audited(Audited { findings, .. }) => {
                Self::default().with(Figure::AuditFindings, i64::try_from(findings).unwrap_or(i64::MAX))
            }
            Told::Heard(heard) => {
                let lag = heard.lag_ms().into_iter();
                let lag = lag.fold(Self::default(), |all, lag| all.with(Figure::CanaryLag, lag));
                match heard {
                    Heard::Ok { .. } => lag,
                    Heard::Late { .. } | Heard::Failed => lag.with(Figure::CanaryFailed, 1),
                }
            }
        }
    }

    /// Writes them down, if this is a deployment's function and there are any.
    pub fn emit(self) {
        let Some(deployment) = DEPLOYMENT.get() else { return };
        let lines = self.lines(deployment, SystemClock.now());
        let mut out = std::io::stdout().lock();
        for line in lines {
            // As with the log itself: nobody is left to be told.
            let _unwritten = writeln!(out, "{line}");
        }
    }

    /// One line for what has no action, one for each action: a line has one value of each dimension. None for
    /// nothing.
    fn lines(self, deployment: &str, at: Timestamp) -> Vec<Value> {
        let mut parts: BTreeMap<Option<Action>, Vec<(Figure, Vec<i64>)>> = BTreeMap::new();
        for ((action, figure), values) in self.0 {
            parts.entry(action).or_default().push((figure, values));
        }
        parts.into_iter().flat_map(|(action, figures)| written(deployment, at, action, &figures)).collect()
    }
}

/// What a run counts: one that has ended, and a mail that waits after it was refused. A receiver that does not take a
/// webhook is its own affair.
fn counts_as(action: Action, run: &Run) -> Option<Figure> {
    match run.state {
        RunState::Succeeded { .. } => Some(Figure::RunsSucceeded),
        RunState::Failed { .. } => Some(Figure::RunsFailed),
        RunState::Uncertain { .. } => Some(Figure::RunsUncertain),
        RunState::Skipped { .. } => Some(Figure::RunsSkipped),
        RunState::Pending { due } if action == Action::Email && waits_for_sender(run, due) => {
            Some(Figure::MailsRefused)
        }
        RunState::Pending { .. } | RunState::Claimed { .. } => None,
    }
}

/// Whether a mail waits because it was refused: not for somebody's word, nor for its place in the line.
fn waits_for_sender(run: &Run, due: Timestamp) -> bool {
    run.last_error.is_some() && run.kept_until != Some(due) && run.slot != Some(due)
}

/// How long somebody has waited for it, in milliseconds.
#[must_use]
pub fn lag_ms(run: &Run, event_at: Timestamp, now: Timestamp) -> i64 {
    since_ms(run.wanted_from(event_at), now)
}

/// Milliseconds from one time to another; none if it is yet to come.
#[must_use]
pub fn since_ms(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond().saturating_sub(from.as_millisecond()).max(0)
}

/// More than one line only if something happened more often than a line may tell.
fn written(
    deployment: &str,
    at: Timestamp,
    action: Option<Action>,
    figures: &[(Figure, Vec<i64>)],
) -> Vec<Value> {
    let most = figures.iter().map(|(_, values)| values.len().div_ceil(VALUES_MAX)).max().unwrap_or_default();
    let line = |n: usize| {
        let mut fields = Map::from_iter([("Deployment".to_owned(), json!(deployment))]);
        let mut dimensions = vec!["Deployment"];
        if let Some(action) = action {
            fields.insert("Action".to_owned(), json!(action.as_str()));
            dimensions.push("Action");
        }
        let mut metrics = Vec::new();
        for (figure, values) in figures {
            let Some(values) = values.chunks(VALUES_MAX).nth(n) else { continue };
            metrics.push(json!({"Name": figure.name(), "Unit": figure.unit()}));
            let summed = || json!(values.iter().fold(0_i64, |sum, value| sum.saturating_add(*value)));
            let value = if figure.unit() == "Count" { summed() } else { json!(values) };
            fields.insert(figure.name().to_owned(), value);
        }
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics});
        fields.insert(
            "_aws".to_owned(),
            json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]}),
        );
        Value::Object(fields)
    };
    (0..most).map(line).collect()
}

static DEPLOYMENT: OnceLock<String> = OnceLock::new();

/// Has figures written from now on, if this is a function of a deployment: what else would read them?
pub(crate) fn init() {
    if let Some(deployment) = env::deployment() {
        let _already_set = DEPLOYMENT.set(deployment);
    }
}

#[cfg(test)]
mod tests {
    use stagepost_app::run::Of;
    use stagepost_domain::id::ShopId;
    use stagepost_domain::outcome::SkipReason;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    fn rung(state: RunState, notable: Option<Notable>) -> Rung {
        let run = Run { state, ..Run::pending(at(10_000), 1).born(at(0)) };
        let of = Some(Of { shop: ShopId::parse("shop_a").unwrap(), at: at(0) });
        Rung { answered: Answered::Recorded(Box::new(run)), of, notable }
    }

    fn sent() -> Rung {
        rung(RunState::Succeeded { at: at(12_345), detail: "message-1".to_owned() }, None)
    }

    #[test]
    fn a_line_is_what_cloudwatch_reads_as_figures() {
        let mut batch = Figures::of_run(Action::Email, &sent(), at(12_345));
        batch.add(Figures::of_run(Action::Email, &sent(), at(10_005)));
        let lines = batch.lines("acme", at(20_000));
        let aws = |dimensions: Value, metrics: Value| {
            let directive = json!({"Namespace": "Stagepost", "Dimensions": [dimensions], "Metrics": metrics});
            json!({"Timestamp": at(20_000).as_millisecond(), "CloudWatchMetrics": [directive]})
        };
        let counted = json!({
            "Deployment": "acme", "RunsSucceeded": 2,
            "_aws": aws(json!(["Deployment"]), json!([{"Name": "RunsSucceeded", "Unit": "Count"}])),
        });
        let lag = json!({
            "Deployment": "acme", "Action": "email", "RunLag": [2_345, 5],
            "_aws": aws(json!(["Deployment", "Action"]), json!([{"Name": "RunLag", "Unit": "Milliseconds"}])),
        });
        assert_eq!(lines, [counted, lag]);
    }

    #[test]
    fn nothing_is_written_of_what_did_not_happen() {
        let waits = rung(RunState::Pending { due: at(30_000) }, None);
        for nothing in [
            Figures::from(()),
            Figures::of_run(Action::Email, &waits, at(1)),
            Figures::of_run(Action::Email, &Answered::Ended.into(), at(1)),
            Figures::of_job(Told::Audited(Audited { orders: 3, ..Audited::default() })),
        ] {
            assert_eq!(nothing.lines("acme", at(1)), Vec::<Value>::new());
        }
    }

    #[test]
    fn each_end_of_a_run_and_what_else_came_of_it_counts() {
        let (error, why) = (String::new(), SkipReason::NoAddress);
        for (rung, names) in [
            (rung(RunState::Failed { at: at(1), error: error.clone() }, None), vec![Figure::RunsFailed]),
            (
                rung(RunState::Uncertain { at: at(1), error: error.clone() }, None),
                vec![Figure::RunsUncertain],
            ),
            (rung(RunState::Skipped { at: at(1), why }, None), vec![Figure::RunsSkipped]),
            (rung(RunState::Pending { due: at(2) }, Some(Notable::MailsStopped)), vec![Figure::MailsStopped]),
            (
                rung(RunState::Failed { at: at(1), error }, Some(Notable::EndpointDisabled)),
                vec![Figure::RunsFailed, Figure::EndpointsDisabled],
            ),
        ] {
            let figures = Figures::of_run(Action::Webhook, &rung, at(2));
            assert_eq!(figures.0.keys().map(|(_, figure)| *figure).collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn a_mail_that_is_not_taken_counts_while_it_waits_and_a_webhook_does_not() {
        let waits = |error: Option<&str>| {
            let mut rung = rung(RunState::Pending { due: at(30_000) }, None);
            if let Answered::Recorded(run) = &mut rung.answered {
                run.last_error = error.map(str::to_owned);
            }
            rung
        };
        let refused = Figures::of_run(Action::Email, &waits(Some("sending is paused")), at(1));
        assert_eq!(refused, Figures::one(Figure::MailsRefused));
        for (action, error) in [(Action::Email, None), (Action::Webhook, Some("503"))] {
            assert_eq!(Figures::of_run(action, &waits(error), at(1)), Figures::default(), "{action:?}");
        }
        let by_its_shop: fn(&mut Run) = |run| run.kept_until = Some(at(30_000));
        let in_line: fn(&mut Run) = |run| run.slot = Some(at(30_000));
        for why in [by_its_shop, in_line] {
            let mut rung = waits(Some("sending is paused"));
            if let Answered::Recorded(run) = &mut rung.answered {
                why(run);
            }
            assert_eq!(Figures::of_run(Action::Email, &rung, at(1)), Figures::default());
        }
    }

    #[test]
    fn an_audits_findings_and_what_a_canary_was_heard_of_count() {
        let lag = Figures::one(Figure::CanaryFailed).with(Figure::CanaryLag, 120_000);
        for (told, figures) in [
            (Told::Heard(Heard::Ok { lag_ms: 900 }), Figures::default().with(Figure::CanaryLag, 900)),
            (Told::Heard(Heard::Late { lag_ms: 120_000 }), lag),
            (Told::Heard(Heard::Failed), Figures::one(Figure::CanaryFailed)),
            (
                Told::Audited(Audited { findings: 3, ..Audited::default() }),
                Figures::default().with(Figure::AuditFindings, 3),
            ),
        ] {
            assert_eq!(Figures::of_job(told), figures);
        }
    }

    #[test]
    fn a_line_tells_a_hundred_values_of_a_figure_and_no_more() {
        let all = (0..250).fold(Figures::default(), |all, ms| all.with(Figure::CanaryLag, ms));
        let lines = all.lines("acme", at(0));
        let told: Vec<usize> = lines.iter().map(|l| l["CanaryLag"].as_array().unwrap().len()).collect();
        assert_eq!(told, [100, 100, 50]);
    }
}
