//! Sends a stage's mail: look again → render → place in the line → claim → send → record.

use stagepost_domain::event::{Action, Event};
use stagepost_domain::governor::Governor;
use stagepost_domain::id::TemplateId;
use stagepost_domain::order::Order;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::pace::{Pace, holds};
use stagepost_domain::run::{AttemptOutcome, Run, RunId, RunKey, RunState, Target, later};
use stagepost_domain::shop::{MailMode, Settings};
use stagepost_domain::suppression::suppression_id;
use stagepost_domain::template::{EmailTemplate, Occasion};
use stagepost_domain::{SignedDuration, Timestamp};

use super::compose::{letter, marked, tags, variables};
use super::ports::{Line, PaceStore, SuppressionStore};
use super::{PostOffice, TrackingLinks};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::governor::admits;
use crate::ports::{
    ActError, ConfigStore, GovernorStore, Mail, MailError, Mailer, OrderStore, RunStore, StoreError, run_id,
};
use crate::run::{
    Answered, HOLD_LOOK_AGAIN, LOOK_AGAIN, Notable, Opened, Rung, RunnerError, act_until, aside_if_hopeless,
    claim, fail_unsent, finish, keep, open, postpone, second_thoughts, skip, store,
};

/// What a mail needs of the store.
pub trait MailStores:
    OrderStore + RunStore + ConfigStore + GovernorStore + SuppressionStore + PaceStore
{
}

impl<T> MailStores for T where
    T: OrderStore + RunStore + ConfigStore + GovernorStore + SuppressionStore + PaceStore
{
}

/// Sends one mail. A mail leaves at most once; whatever cannot be told is *uncertain* (law 11).
///
/// # Errors
/// Nothing could be decided; the doorbell may ring again.
pub async fn email<S, M, L>(
    core: &Core<S>,
    mailer: &M,
    office: &PostOffice<L>,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: MailStores,
    M: Mailer,
    L: TrackingLinks,
{
    aside_if_hopeless(core, id, mailed(core, mailer, office, id).await).await
}

async fn mailed<S, M, L>(
    core: &Core<S>,
    mailer: &M,
    office: &PostOffice<L>,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: MailStores,
    M: Mailer,
    L: TrackingLinks,
{
    let Target::Email(template) = &id.key.target else { return Ok(Answered::Unknown.into()) };
    let until = act_until(Action::Email, core.now());
    let Opened { event, run } = match open(core, id).await? {
        Ok(opened) => opened,
        Err(answered) => return Ok(answered.into()),
    };
    if matches!(run.state, RunState::Claimed { .. }) {
        // The lease has passed and nobody recorded an end: the claim itself turns this into doubt.
        let attempt = core.attempt()?;
        let ended = claim(core, id, &run, &attempt).await?;
        return Ok(Rung::of(&event, ended.map_or_else(|a| a, |r| Answered::Recorded(Box::new(r)))));
    }
    let mail = match prepare(core, office, template, &event, &run, id).await? {
        Ok(mail) => mail,
        Err(instead) => return Ok(Rung::of(&event, not_now(core, id, &run, instead).await?)),
    };
    let governor = core.store.governor(&event.shop).await?;
    if governor.paused.is_some() {
        return Ok(Rung::of(&event, keep(core, id, &run).await?));
    }
    if let Some(slot) = place_in_line(core, office.pace, run.slot).await? {
        let next = Run { state: RunState::Pending { due: slot }, slot: Some(slot), ..run.clone() };
        return Ok(Rung::of(&event, store(core, id, &run, &next).await?));
    }
    // A mail that is cut off in mid-send is in doubt for ever: rather let the doorbell come back.
    if core.now() >= until {
        return Err(RunnerError::Late);
    }
    leave(core, mailer, &mail, &governor, &event, &run, id).await
}

/// Records what is done instead of sending.
async fn not_now<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    instead: Instead,
) -> Result<Answered, RunnerError> {
    match instead {
        Instead::Skip(why) => Ok(skip(core, id, run, why).await?),
        Instead::Wait(wait) => Ok(postpone(core, id, run, wait).await?),
        Instead::Held => Ok(keep(core, id, run).await?),
        Instead::Paused => Ok(paused_by_hand(core, id, run).await?),
        Instead::Fail(error) => fail_unsent(core, id, run, error).await,
    }
}

/// Claims, sends once, records.
async fn leave<S, M>(
    core: &Core<S>,
    mailer: &M,
    mail: &Mail,
    governor: &Governor,
    event: &Event,
    run: &Run,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: RunStore + GovernorStore,
    M: Mailer,
{
    let attempt = core.attempt()?;
    let claimed = match claim(core, id, run, &attempt).await? {
        Ok(claimed) => claimed,
        Err(answered) => return Ok(Rung::of(event, answered)),
    };
    let (outcome, notable) = match admits(core, &event.shop, governor).await {
        Ok(true) => (sent(core, mailer.send(mail).await), None),
        Ok(false) => {
            let until = later(core.now(), HOLD_LOOK_AGAIN);
            (AttemptOutcome::Kept { until }, Some(Notable::MailsStopped))
        }
        // Not sent: the claim is given back, or its lease would leave the mail in doubt.
        Err(_) => (AttemptOutcome::Later { due: later(core.now(), LOOK_AGAIN), why: None }, None),
    };
    let answered = finish(core, id, &claimed, &attempt, &outcome).await?;
    Ok(Rung::of(event, answered).noting(notable))
}

/// The one line of a deployment: its provider's rate is the account's, whoever the sender is.
const SENDER: &str = "account";
/// A mail whose place is nearer than this leaves at once: a second's mails may leave together.
const TOGETHER: SignedDuration = SignedDuration::from_secs(1);

/// When the mail may leave, if that is not now. A place once taken is the mail's until it leaves: it comes back
/// for it and asks for no other.
pub(super) async fn place_in_line<S: PaceStore>(
    core: &Core<S>,
    pace: Pace,
    slot: Option<Timestamp>,
) -> Result<Option<Timestamp>, StoreError> {
    let now = core.now();
    if holds(slot, now) {
        return Ok(None);
    }
    let mut seen = None;
    for _ in 0..TRIES_MAX {
        let place = pace.place(seen, now);
        match core.store.move_line(SENDER, seen, now, place.next).await? {
            Line::Moved => return Ok((place.at.duration_since(now) >= TOGETHER).then_some(place.at)),
            Line::At(free) => seen = Some(free),
        }
    }
    Err(StoreError::Throttled)
}

/// How long mails wait between looks while sending is paused for everybody.
const PAUSED_LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(30);

fn sent<S>(core: &Core<S>, answer: Result<String, MailError>) -> AttemptOutcome {
    // Spread, so that what has waited does not come all at once.
    let spread = |wait: SignedDuration| later(core.now(), wait.mul_f64(0.8 + 0.4 * core.entropy.fraction()));
    match answer {
        Ok(detail) => AttemptOutcome::Success { detail },
        Err(MailError::Failed(ActError { disposition, message: error })) => {
            AttemptOutcome::Failure { disposition, error }
        }
        Err(MailError::Paused { message }) => {
            AttemptOutcome::Later { due: spread(PAUSED_LOOK_AGAIN), why: Some(message) }
        }
        Err(MailError::TooFast { message, after }) => {
            AttemptOutcome::Later { due: spread(after), why: Some(message) }
        }
    }
}

/// What to do instead of sending.
enum Instead {
    Skip(SkipReason),
    Wait(SignedDuration),
    /// The order is on hold.
    Held,
    /// The shop's settings say so.
    Paused,
    Fail(String),
}

async fn prepare<S, L>(
    core: &Core<S>,
    office: &PostOffice<L>,
    template: &TemplateId,
    event: &Event,
    run: &Run,
    id: &RunId,
) -> Result<Result<Mail, Instead>, StoreError>
where
    S: OrderStore + RunStore + ConfigStore + SuppressionStore,
    L: TrackingLinks,
{
    let Some((order, snapshot)) = core.store.order_with_snapshot(&id.order).await? else {
        return Ok(Err(Instead::Fail("the order is gone".into())));
    };
    let snapshot = snapshot.unwrap_or_default();
    if let Some(why) = against(core, event, &id.key, run, &order) {
        return Ok(Err(Instead::Skip(why)));
    }
    if order.hold.is_some() {
        return Ok(Err(Instead::Held));
    }
    let Some(to) = snapshot.customer.email.clone() else {
        return Ok(Err(Instead::Skip(SkipReason::NoAddress)));
    };
    if earlier_mail_in_flight(core, &order, run).await? {
        return Ok(Err(Instead::Wait(LOOK_AGAIN)));
    }
    if let Some(because) = suppressed(core, office, &order, &to).await? {
        return Ok(Err(Instead::Skip(because)));
    }
    let found = core.store.template(&order.shop, template, Some(run.target_version)).await?;
    let (Some(template), Some(settings)) = (found, core.store.settings(&order.shop).await?) else {
        return Ok(Err(Instead::Skip(SkipReason::TargetGone)));
    };
    if settings.mail.mode == MailMode::Paused {
        return Ok(Err(Instead::Paused));
    }
    let occasion = Moment { event, settings: &settings, url: &office.links.link(&order) };
    let variables = variables(core, template.parts(), &order, &snapshot, occasion.words()).await?;
    Ok(addressed(&template, &variables, &settings, to, id))
}

/// Why a mail that waited is not to leave any more. One that was last asked for before the table was restored may
/// have left: nobody is mailed twice by ourselves.
fn against<S>(core: &Core<S>, event: &Event, key: &RunKey, run: &Run, order: &Order) -> Option<SkipReason> {
    if core.is_from_before(run.asked_at(event.at)) {
        return Some(SkipReason::BeforeRestore);
    }
    second_thoughts(event, key, order)
}

/// What a mail of an event says of its moment: the stage as it was called then.
struct Moment<'a> {
    event: &'a Event,
    settings: &'a Settings,
    url: &'a str,
}

impl Moment<'_> {
    fn words(&self) -> Occasion<'_> {
        let entry = self.event.transition.as_ref();
        Occasion {
            shop_name: &self.settings.name,
            stage_name: entry.map(|entry| entry.to.name.as_str()).unwrap_or_default(),
            stage_description: entry.and_then(|entry| entry.description.as_deref()),
            tracking_url: self.url,
        }
    }
}

/// The rendered mail to whom the shop's mode has it go.
fn addressed(
    template: &EmailTemplate,
    variables: &stagepost_domain::template::Variables,
    settings: &Settings,
    to: String,
    id: &RunId,
) -> Result<Mail, Instead> {
    let mut rendered = template.render(variables).map_err(|e| Instead::Fail(e.to_string()))?;
    let to = match &settings.mail.mode {
        MailMode::Live => to,
        MailMode::Test { to } => {
            rendered.subject = marked(&rendered.subject);
            to.clone()
        }
        MailMode::DryRun => return Err(Instead::Skip(SkipReason::DryRun)),
        MailMode::Paused => return Err(Instead::Paused),
    };
    Ok(letter(settings, to, rendered, tags(id)))
}

async fn suppressed<S: SuppressionStore, L>(
    core: &Core<S>,
    office: &PostOffice<L>,
    order: &Order,
    to: &str,
) -> Result<Option<SkipReason>, StoreError> {
    let Ok(id) = suppression_id(&office.addresses, &order.shop, to) else { return Ok(None) };
    let found = core.store.suppression(&order.shop, &id).await?;
    Ok(found.map(|found| SkipReason::Suppressed { because: found.because }))
}

/// Waits without an attempt until somebody has the mails go again; the run says why.
async fn paused_by_hand<S: RunStore>(core: &Core<S>, id: &RunId, run: &Run) -> Result<Answered, StoreError> {
    let why = Some("the shop's mails are paused in its settings".to_owned());
    let kept = run.kept(later(core.now(), HOLD_LOOK_AGAIN));
    store(core, id, run, &Run { last_error: why, ..kept }).await
}

/// How many earlier mails of one order are looked at: more cannot be in flight at once.
const MAILS_BACK_MAX: usize = 20;

/// Mails of one order go in the order of their events: whether one before this is being sent right now.
///
/// One that only waits (for its grace, or after a refusal) holds nothing up: its order has left the stage,
/// so it is told here already what it would find out when it is rung.
async fn earlier_mail_in_flight<S>(core: &Core<S>, order: &Order, run: &Run) -> Result<bool, StoreError>
where
    S: OrderStore + RunStore,
{
    let mut before = run.after_mail;
    for _ in 0..MAILS_BACK_MAX {
        let Some(seq) = before else { return Ok(false) };
        let Some(event) = core.store.event(&order.id, seq).await? else { return Ok(false) };
        before = None;
        for (key, mail) in event.runs.iter().filter(|(key, _)| key.action() == Action::Email) {
            match &mail.state {
                RunState::Pending { .. } if !given_up(core, &event, key, mail, order).await? => {
                    return Ok(true);
                }
                RunState::Claimed { .. } => return Ok(true),
                // One that never left may have one before it that is leaving.
                RunState::Pending { .. } | RunState::Skipped { .. } => before = mail.after_mail,
                RunState::Succeeded { .. } | RunState::Failed { .. } | RunState::Uncertain { .. } => {}
            }
        }
    }
    Ok(false)
}

/// Ends a mail whose order has left its stage; false if it is not the time, or somebody else was faster.
async fn given_up<S: RunStore>(
    core: &Core<S>,
    event: &Event,
    key: &RunKey,
    mail: &Run,
    order: &Order,
) -> Result<bool, StoreError> {
    let Some(why) = against(core, event, key, mail, order) else { return Ok(false) };
    let answered = skip(core, &run_id(&order.id, event.seq, key), mail, why).await?;
    Ok(matches!(answered, Answered::Recorded(_)))
}
