//! What happened and what did not, in words: one place for every reason, and none without words.
//!
//! Each says what was expected and what was found, so that nobody has to ask *why didn't it send?*

use stagepost_app::mail::ports::{AskedState, SenderState};
use stagepost_domain::again::AgainRefused;
use stagepost_domain::decide::Refused;
use stagepost_domain::event::{Action, Actor, Cause, Change};
use stagepost_domain::fact::Coverage;
use stagepost_domain::feedback::Fate;
use stagepost_domain::flow::Automations;
use stagepost_domain::flow::warnings::Surprise;
use stagepost_domain::fulfillment::Attribution;
use stagepost_domain::governor::{Paused, TooMany};
use stagepost_domain::id::{KeyId, StageId};
use stagepost_domain::job::{Connection, JobKind, JobState};
use stagepost_domain::link::NoEntry;
use stagepost_domain::order::{Hold, HoldReason, Lifecycle, Platform};
use stagepost_domain::outcome::{IgnoreReason, NoOpReason, SkipReason};
use stagepost_domain::package::TrackingStatus;
use stagepost_domain::run::{InvalidTransition, RunState, Target};
use stagepost_domain::shop::{MailMode, Role};
use stagepost_domain::suppression::Because;
use stagepost_domain::webhook::EventType;

use crate::time::exactly;
use crate::ui::{Badge, Tone};

/// What things are called: ids of stages, channels and so on in words.
pub trait Names {
    /// A stage of the order's flow.
    fn stage(&self, id: &StageId) -> String;

    /// An API key, if it is there still.
    fn key(&self, _: &KeyId) -> Option<String> {
        None
    }
}

/// Why a link lets nobody in.
#[must_use]
pub fn no_entry(why: NoEntry) -> &'static str {
    match why {
        NoEntry::Unknown => "This link is not known. Perhaps it was cut off in the mail.",
        NoEntry::Used => "This link was used before: each lets in once.",
        NoEntry::Expired => "The time of this link is over.",
        NoEntry::SignedOut => "This link was ended when its owner was signed out everywhere.",
        NoEntry::NoMember => "This link was for somebody who does not work with the shop any more.",
    }
}

/// What a role may do; each may what those before it may.
#[must_use]
pub fn role_meaning(role: Role) -> &'static str {
    match role {
        Role::Viewer => "sees everything, changes nothing",
        Role::Member => "works with orders",
        Role::Admin => "changes the configuration, and who works here",
        Role::Owner => "everything, and makes owners",
    }
}

/// The roles that somebody of the role `by` may give, lowest first, as choices.
#[must_use]
pub fn roles(by: Role) -> Vec<(String, String)> {
    let given = Role::ALL.into_iter().filter(|role| *role <= by);
    let choice =
        |role: Role| (role.as_str().to_owned(), format!("{}: {}", role.as_str(), role_meaning(role)));
    given.map(choice).collect()
}

/// A role by its name.
#[must_use]
pub fn role(name: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.as_str() == name)
}

/// Why a run was decided against.
#[must_use]
pub fn skipped(action: Action, why: &SkipReason, names: &impl Names) -> String {
    match why {
        SkipReason::NoAddress => "The customer has no e-mail address on this order.".to_owned(),
        SkipReason::Imported => {
            "The order was placed before its store was connected, so nothing is sent about how it came to this \
             stage."
                .to_owned()
        }
        SkipReason::StaleFact => {
            "The news was more than 7 days old when it came; it moved the order silently.".to_owned()
        }
        SkipReason::BeforeRestore => {
            "This is from before the data was restored from a backup: it may have been done then, and is not done \
             again by itself."
                .to_owned()
        }
        SkipReason::PassedThrough { stage } => format!(
            "The order was first seen further on: it passed through {} before we knew of it.",
            names.stage(stage)
        ),
        SkipReason::AlreadyFulfilled { by, platform, at } => already_fulfilled(by, *platform, at.map(exactly)),
        SkipReason::Superseded { by_seq } => superseded(action, *by_seq),
        SkipReason::OrderCancelled => "The order is cancelled or in the trash on its platform.".to_owned(),
        SkipReason::NoChannel => {
            "The order came by the API: there is no sales channel to fulfill it on.".to_owned()
        }
        SkipReason::TargetGone => {
            "The stage names a template or endpoint that is not there any more.".to_owned()
        }
        SkipReason::EndpointDisabled => "The endpoint is switched off.".to_owned(),
        SkipReason::OnHold => "The order is on hold.".to_owned(),
        SkipReason::AlreadyDelivered => "The package has arrived: there is nothing left to report.".to_owned(),
        SkipReason::PackageRemoved => "The package was taken away, or its number was corrected.".to_owned(),
        SkipReason::ConfigurationChanged => {
            "The order came here because the flow was edited, and an edit tells no customer anything.".to_owned()
        }
        SkipReason::Suppressed { because } => format!("Nothing is mailed to this address: {}.", suppressed(*because)),
        SkipReason::DryRun => {
            "The shop's mails are set to a dry run: it was rendered, and sent to nobody.".to_owned()
        }
        SkipReason::Quiet => "Whoever moved the order wanted nothing to follow from it.".to_owned(),
    }
}

fn already_fulfilled(by: &Attribution, platform: Platform, at: Option<String>) -> String {
    let when = at.map(|at| format!(" on {at}")).unwrap_or_default();
    let place = platform.label();
    match by {
        Attribution::Ours { seq } => format!("Already fulfilled on {place} by us, at step {seq}{when}."),
        Attribution::Theirs => format!("Already fulfilled by somebody on {place}{when}."),
        Attribution::Undetermined => {
            format!("Already fulfilled on {place}{when}; by whom is being found out.")
        }
    }
}

fn superseded(action: Action, by_seq: u64) -> String {
    match action {
        Action::Email => {
            format!("Step {by_seq} moved the order on before the mail left, so it was not sent.")
        }
        Action::Webhook | Action::Fulfill => {
            format!("Step {by_seq} moved the order on before it was done, so it was not done.")
        }
        Action::RegisterTracker => format!("The package was told again at step {by_seq}."),
    }
}

/// Why an address gets no mail.
#[must_use]
pub fn suppressed(because: Because) -> &'static str {
    match because {
        Because::HardBounce => "a mail to it came back for good",
        Because::Complaint => "its owner called a mail spam",
        Because::ByHand => "somebody of the shop put it on the list",
    }
}

/// What becomes of the shop's mails, as a badge.
#[must_use]
pub fn mail_mode_badge(mode: &MailMode) -> Badge {
    match mode {
        MailMode::Live => Badge::new(Tone::Good, "Live"),
        MailMode::Test { .. } => Badge::new(Tone::Warn, "Test mode"),
        MailMode::DryRun => Badge::new(Tone::Warn, "Dry run"),
        MailMode::Paused => Badge::new(Tone::Warn, "Paused"),
    }
}

/// The same as a sentence.
#[must_use]
pub fn mail_mode(mode: &MailMode) -> String {
    match mode {
        MailMode::Live => "Mails go to customers.".to_owned(),
        MailMode::Test { to } => format!("All mails go to {to}, none to a customer."),
        MailMode::DryRun => "Mails are rendered and sent to nobody.".to_owned(),
        MailMode::Paused => "Mails wait until you let them go.".to_owned(),
    }
}

/// Why a shop's mails were stopped.
#[must_use]
pub fn stopped(paused: &Paused) -> String {
    let Paused { count, usual, .. } = paused;
    match paused.because {
        TooMany::Mails => format!("{count} in ten minutes are far more than the usual {usual}."),
        TooMany::Bounces => format!("{count} of the last {usual} came back for good."),
        TooMany::Complaints => format!("{count} of the last {usual} were called spam."),
    }
}

/// How the mail provider stands to a sender.
#[must_use]
pub fn sender_badge(state: SenderState) -> Badge {
    match state {
        SenderState::Verified => Badge::new(Tone::Good, "Verified"),
        SenderState::Pending => Badge::new(Tone::Busy, "Waits to be verified"),
        SenderState::Failed => Badge::new(Tone::Bad, "Not verified in time"),
        SenderState::Unknown => Badge::new(Tone::Bad, "Not known"),
        SenderState::NotAllowed => Badge::new(Tone::Bad, "Not allowed here"),
        SenderState::Unchecked => Badge::new(Tone::Plain, "Not checked"),
    }
}

/// What became of a test mail.
#[must_use]
pub fn test_mail_badge(state: &AskedState) -> Badge {
    match state {
        AskedState::Pending => Badge::new(Tone::Busy, "On its way"),
        AskedState::Sending => Badge::new(Tone::Busy, "Given to the mail provider"),
        AskedState::Sent => Badge::new(Tone::Good, "Sent"),
        AskedState::Failed { .. } => Badge::new(Tone::Bad, "Not sent"),
    }
}

/// Why a fact, or the move that it asked for, was refused.
#[must_use]
pub fn ignored(why: &IgnoreReason) -> String {
    match why {
        IgnoreReason::NotForward => {
            "Automatic moves go forward only, and the order stands there or further on already.".to_owned()
        }
        IgnoreReason::AlreadyEntered => {
            "The order was in that stage already since somebody last moved it by hand.".to_owned()
        }
        IgnoreReason::OnHold => "The order is on hold; the latest move waits for its release.".to_owned(),
        IgnoreReason::OrderCancelled => "The order is cancelled or in the trash on its platform.".to_owned(),
        IgnoreReason::NotAllShipped => {
            "Its packages have arrived, but not everything that was ordered was shipped.".to_owned()
        }
        IgnoreReason::BeforeOrder => {
            "The report is from before the order: of another parcel that had the same number.".to_owned()
        }
        IgnoreReason::LateScan { status } => {
            format!("A late scan: the package is \u{201c}{}\u{201d} already.", tracking(*status))
        }
        IgnoreReason::TooMany { limit } => format!("An order has at most {limit} of these."),
        IgnoreReason::PackageRemoved => "The package was taken away from the order.".to_owned(),
    }
}

/// Why nothing would change.
#[must_use]
pub fn no_op(why: NoOpReason) -> &'static str {
    match why {
        NoOpReason::Older => "It is older than what is known.",
        NoOpReason::Same => "It says what is known already.",
        NoOpReason::OwnFulfillment => "It is the echo of a fulfillment that we made ourselves.",
        NoOpReason::Draft => "It is a cart, not an order yet.",
        NoOpReason::NotShipped => "The fulfillment is not shipped yet.",
        NoOpReason::UnknownOrder => "No order has that id.",
        NoOpReason::SameStage => "The order is in that stage already.",
        NoOpReason::UnknownPackage => "The order has no such package.",
        NoOpReason::NotHeld => "The order is not on hold.",
        NoOpReason::AlreadyHeld => "The order is on hold already.",
        NoOpReason::AlreadyPlaced => "The order is in a flow already.",
    }
}

/// Why a request could not be met.
#[must_use]
pub fn refused(why: &Refused) -> String {
    match why {
        Refused::UnknownOrder => "There is no such order.".to_owned(),
        Refused::Stale { .. } => {
            "The order has changed since the page was opened. Look at where it stands now.".to_owned()
        }
        Refused::UnknownStage => "The order's flow has no such stage.".to_owned(),
        Refused::NotPlaced => "The order is in no flow yet.".to_owned(),
        Refused::UnknownFlow => "There is no such flow.".to_owned(),
        Refused::AlreadyPlaced => "The order is in this flow already: move it instead.".to_owned(),
        Refused::OnHold => "The order is on hold: resume it first.".to_owned(),
        Refused::TooMany { limit } => format!("An order has at most {limit} packages."),
        Refused::UnknownPackage => "The order has no such package.".to_owned(),
        Refused::EmptyPackage => "A package needs a tracking number, or a link, or both.".to_owned(),
    }
}

/// Why a run is not sent again.
#[must_use]
pub fn not_again(why: AgainRefused) -> &'static str {
    match why {
        AgainRefused::Unknown => "There is no such run.",
        AgainRefused::StillOpen => "It is still on its way: it will be sent anyway.",
        AgainRefused::Unconfirmed => {
            "The mail may have gone out: confirm that the customer may get it twice."
        }
        AgainRefused::NoMessage => {
            "Its message is not kept any more: it is older than 30 days, or was never made."
        }
        AgainRefused::FulfilledOnce => "An order is fulfilled once: retry it if it failed.",
        AgainRefused::RegisteredOnce => "A parcel is registered once: retry it if it failed.",
        AgainRefused::TooMany => "It was sent again 20 times, which is as often as that is done.",
    }
}

/// Why a run is not tried again.
#[must_use]
pub fn not_retried(why: &InvalidTransition) -> &'static str {
    match why {
        InvalidTransition::NotHolding => "Something else works on it just now.",
        InvalidTransition::StillOpen => "It is still on its way: it will be tried anyway.",
        InvalidTransition::NotRetryable => {
            "Only what failed is tried again; what is uncertain needs your word that it may happen twice."
        }
    }
}

/// Where a parcel is.
#[must_use]
pub fn tracking(status: TrackingStatus) -> &'static str {
    match status {
        TrackingStatus::Unknown => "No news yet",
        TrackingStatus::PreTransit => "Label made",
        TrackingStatus::InTransit => "In transit",
        TrackingStatus::OutForDelivery => "Out for delivery",
        TrackingStatus::AvailableForPickup => "Ready for pick-up",
        TrackingStatus::AttemptFailed => "Delivery attempted",
        TrackingStatus::Exception => "Exception",
        TrackingStatus::Cancelled => "Label cancelled",
        TrackingStatus::Delivered => "Delivered",
        TrackingStatus::ReturnToSender => "Returning to sender",
    }
}

/// The same as a badge.
#[must_use]
pub fn tracking_badge(status: TrackingStatus) -> Badge {
    let tone = match status {
        TrackingStatus::Unknown | TrackingStatus::PreTransit => Tone::Plain,
        TrackingStatus::InTransit | TrackingStatus::OutForDelivery => Tone::Busy,
        TrackingStatus::AvailableForPickup | TrackingStatus::AttemptFailed => Tone::Warn,
        TrackingStatus::Exception | TrackingStatus::Cancelled | TrackingStatus::ReturnToSender => Tone::Bad,
        TrackingStatus::Delivered => Tone::Good,
    };
    Badge::new(tone, tracking(status))
}

/// What a run does.
#[must_use]
pub fn doing(target: &Target) -> &'static str {
    match target {
        Target::Email(_) => "Mail to the customer",
        Target::Webhook(..) => "Webhook",
        Target::Fulfill(_) => "Fulfillment on the sales channel",
        Target::RegisterTracker(..) => "Registration with the carrier service",
    }
}

/// Actions of a kind, several of them.
#[must_use]
pub fn kind(action: Action) -> &'static str {
    match action {
        Action::Email => "Mails to customers",
        Action::Webhook => "Webhooks",
        Action::Fulfill => "Fulfillments on sales channels",
        Action::RegisterTracker => "Registrations with carrier services",
    }
}

/// What a job does.
#[must_use]
pub fn job(kind: &JobKind) -> &'static str {
    match kind {
        JobKind::Reconcile { .. } => "Asks a store what has changed",
        JobKind::Backfill { .. } => "Takes over a store\u{2019}s older orders, silently",
        JobKind::Move { .. } => "Moves orders",
        JobKind::Restage { .. } => "Moves the orders of a deleted stage on",
        JobKind::Triage { .. } => "Puts a store\u{2019}s untriaged orders into its flow, silently",
        JobKind::Register { .. } => "Registers parcels with a carrier service",
        JobKind::Refetch { .. } => "Asks a carrier service for parcels without news",
        JobKind::Test { .. } => "Sends a test message to an endpoint",
        JobKind::Recover(_) => "Tries again what failed",
        JobKind::Check { connection: Connection::Channel(_) } => "Tries out a store\u{2019}s credentials",
        JobKind::Check { connection: Connection::Carrier(_) } => {
            "Tries out a carrier service\u{2019}s credentials"
        }
        JobKind::Audit(_) => "Looks whether everything that is to be done still is",
        JobKind::Retain => "Erases what is kept no longer",
        JobKind::Canary(_) => "Writes an order and looks whether its mail leaves in time",
    }
}

/// When a message of this kind is sent.
#[must_use]
pub fn event_meaning(event: EventType) -> &'static str {
    match event {
        EventType::Created => "An order is new.",
        EventType::Updated => "Something about an order has changed: its details, fulfillment or packages.",
        EventType::StageEntered => "An order has entered a stage, whichever it is.",
        EventType::Delivered => "All packages of an order have arrived.",
    }
}

/// Where a job stands.
#[must_use]
pub fn job_badge(state: &JobState) -> Badge {
    match state {
        JobState::Waiting { .. } => Badge::new(Tone::Busy, "Waiting"),
        JobState::Running { .. } => Badge::new(Tone::Busy, "In progress"),
        JobState::Done { .. } => Badge::new(Tone::Good, "Done"),
        JobState::Failed { .. } => Badge::new(Tone::Bad, "Failed"),
        JobState::Cancelled { .. } => Badge::new(Tone::Plain, "Stopped"),
    }
}

/// Where a run stands.
#[must_use]
pub fn run_badge(action: Action, state: &RunState) -> Badge {
    let done = match action {
        Action::Email => "Sent",
        Action::Webhook => "Delivered",
        Action::Fulfill => "Fulfilled",
        Action::RegisterTracker => "Registered",
    };
    match state {
        RunState::Pending { .. } => Badge::new(Tone::Busy, "Waiting"),
        RunState::Claimed { .. } => Badge::new(Tone::Busy, "In progress"),
        RunState::Succeeded { .. } => Badge::new(Tone::Good, done),
        RunState::Skipped { .. } => Badge::new(Tone::Plain, "Skipped"),
        RunState::Failed { .. } => Badge::new(Tone::Bad, "Failed"),
        RunState::Uncertain { .. } => Badge::new(Tone::Warn, "Uncertain"),
    }
}

/// What a call of an endpoint came to: `counted` if it was taken.
#[must_use]
pub fn attempt_badge(status: Option<u16>, counted: bool) -> Badge {
    match (status, counted) {
        (Some(status), true) => Badge::new(Tone::Good, format!("{status} Taken")),
        (Some(status), false) => Badge::new(Tone::Bad, format!("{status} Refused")),
        (None, _) => Badge::new(Tone::Bad, "No answer"),
    }
}

/// What became of a mail after it left.
#[must_use]
pub fn fate_badge(fate: Fate) -> Badge {
    match fate {
        Fate::Delayed => Badge::new(Tone::Warn, "Delayed"),
        Fate::Delivered => Badge::new(Tone::Good, "Arrived"),
        Fate::SoftBounced => Badge::new(Tone::Warn, "Came back for now"),
        Fate::HardBounced => Badge::new(Tone::Bad, "Bounced"),
        Fate::Complained => Badge::new(Tone::Bad, "Called spam"),
    }
}

/// Who acted.
#[must_use]
pub fn actor(actor: &Actor, names: &impl Names) -> String {
    match actor {
        Actor::ApiKey { id } => match names.key(id) {
            Some(name) => format!("the API key \u{201c}{name}\u{201d}"),
            None => format!("the API key {id}"),
        },
        Actor::Console { name, .. } => name.clone(),
    }
}

/// Why an event happened.
#[must_use]
pub fn cause(cause: &Cause, platform: Platform, names: &impl Names) -> String {
    match cause {
        Cause::Platform { .. } => match platform {
            Platform::Shopify | Platform::Woocommerce => platform.label().to_owned(),
            Platform::Api => "the API".to_owned(),
        },
        Cause::PlatformFulfillment { .. } => format!("a fulfillment on {}", platform.label()),
        Cause::Carrier { .. } => "the carrier".to_owned(),
        Cause::Manual { actor: who } => actor(who, names),
        Cause::Configuration => "an edit of the configuration".to_owned(),
        Cause::Runner { seq, .. } => format!("the fulfillment of step {seq}"),
    }
}

/// What changed, where no move says so.
#[must_use]
pub fn change(change: &Change) -> String {
    match change {
        Change::Created { silent: false } => "Order received".to_owned(),
        Change::Created { silent: true } => "Order taken over silently".to_owned(),
        Change::Updated => "Order details changed".to_owned(),
        Change::Moved => "Moved".to_owned(),
        Change::Fulfillment { reopened: true, .. } => "Fulfillment cancelled".to_owned(),
        Change::Fulfillment { by, .. } => fulfilled(by.as_ref()).to_owned(),
        Change::Package { status, .. } => format!("Package: {}", tracking(*status)),
        Change::Shipment { status, .. } => format!("Shipment: {}", tracking(*status)),
        Change::Packages => "Packages changed".to_owned(),
        Change::Cancelled => "Order cancelled on its platform".to_owned(),
        Change::Trashed => "Order moved to the trash on its platform".to_owned(),
        Change::Reopened => "Order reopened".to_owned(),
        Change::CarrierConnected => "Carrier service connected".to_owned(),
        Change::Assigned => "Put into a flow".to_owned(),
        Change::StageRetired => "Its stage was deleted".to_owned(),
        Change::Erased => "Personal data erased for good".to_owned(),
        Change::LinkRenewed => "Tracking link renewed: the one before opens nothing any more".to_owned(),
        Change::Held => "Put on hold".to_owned(),
        Change::Resumed => "Released from hold".to_owned(),
    }
}

fn fulfilled(by: Option<&Attribution>) -> &'static str {
    match by {
        Some(Attribution::Ours { .. }) => "Fulfilled by us",
        Some(Attribution::Theirs) => "Fulfilled on the sales channel",
        Some(Attribution::Undetermined) => "Fulfilled; by whom is being found out",
        None => "Fulfillment changed",
    }
}

/// How much of an order is fulfilled.
#[must_use]
pub fn coverage_badge(coverage: Coverage) -> Badge {
    match coverage {
        Coverage::None => Badge::new(Tone::Plain, "Unfulfilled"),
        Coverage::Partial => Badge::new(Tone::Busy, "Partly fulfilled"),
        Coverage::Complete => Badge::new(Tone::Good, "Fulfilled"),
    }
}

/// Whether an order still wants work, where it does not.
#[must_use]
pub fn lifecycle_badge(lifecycle: &Lifecycle) -> Option<Badge> {
    match lifecycle {
        Lifecycle::Open => None,
        Lifecycle::Cancelled { .. } => Some(Badge::new(Tone::Bad, "Cancelled")),
        Lifecycle::Trashed => Some(Badge::new(Tone::Bad, "In the trash")),
    }
}

/// Why an order is stopped.
#[must_use]
pub fn held(hold: &Hold, names: &impl Names) -> String {
    let why = match &hold.why {
        HoldReason::Breaker { stage } => format!(
            "Automation wanted to move it into {} for the third time. Somebody should look at why.",
            names.stage(stage)
        ),
        HoldReason::Manual { by } => format!("Stopped by {}.", actor(by, names)),
    };
    match &hold.pending {
        Some(stage) => format!("{why} A move to {} waits for its release.", names.stage(stage)),
        None => why,
    }
}

/// Where orders come from, as one word in a list.
#[must_use]
pub fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Shopify => "Shopify",
        Platform::Woocommerce => "WooCommerce",
        Platform::Api => "API",
    }
}

/// `1 order`, `2 orders`, `1,000 orders`
#[must_use]
pub fn counted(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {many}", thousands(n)) }
}

/// `1,000`
#[must_use]
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A setting that would surprise: how it is to be taken, and in words.
#[must_use]
pub fn surprise(what: &Surprise) -> (Tone, String) {
    let warn = |text: &str| (Tone::Warn, text.to_owned());
    let bad = |text: &str| (Tone::Bad, text.to_owned());
    match what {
        Surprise::BothDirections => warn(
            "This is also the flow\u{2019}s Fulfilled Stage. That makes no loop: an order that comes here because \
             it was fulfilled on its channel is skipped, as it is fulfilled already.",
        ),
        Surprise::TwoMails => warn(
            "The customer gets two mails about the same thing: ours, and the channel\u{2019}s own. Switch one of \
             them off.",
        ),
        Surprise::NoCarrier { shopify: false } => bad(
            "No carrier integration is connected, so nobody reports deliveries and no order will come here by \
             itself.",
        ),
        Surprise::NoCarrier { shopify: true } => warn(
            "No carrier integration is connected: only parcels that Shopify follows itself will bring orders here.",
        ),
        Surprise::CarrierWithoutKey => bad(
            "The carrier integration has no API key, so no parcel is registered with it and no delivery is reported.",
        ),
        Surprise::NoSender => bad("The shop has no address to send from, so no mail can leave."),
        Surprise::MailsNotLive { mode } => (Tone::Warn, not_live(mode)),
        Surprise::TemplateGone { .. } => {
            bad("The template is gone: every mail of this stage is skipped. Choose another one.")
        }
        Surprise::TemplateSaysNothing { .. } => warn(
            "The template says the same to every customer: nothing of the order is in it, not even its number.",
        ),
        Surprise::EndpointGone { .. } => {
            bad("The endpoint is gone: every webhook of this stage is skipped. Choose another one.")
        }
        Surprise::EndpointOff { .. } => {
            bad("The endpoint is switched off: every webhook of this stage is skipped until it is on again.")
        }
        Surprise::NoStore => bad(
            "No Shopify or WooCommerce store is connected, so there is nowhere to mark orders as fulfilled.",
        ),
        Surprise::FulfilledBeforeDefault => bad(
            "The Fulfilled Stage stands before the stage that new orders begin in. Orders move by themselves only \
             forward, so a fulfillment will move hardly any.",
        ),
        Surprise::NobodyUses => warn(
            "Automations are on, but no store puts its new orders into this flow. They act only on orders that come \
             over the API or that somebody puts here.",
        ),
    }
}

/// Where mails go that do not go to customers.
#[must_use]
pub fn not_live(mode: &MailMode) -> String {
    match mode {
        MailMode::Live => "Mails go to customers.".to_owned(),
        MailMode::Test { to } => {
            format!("The shop\u{2019}s mails are in test mode: they go to {to}, and no customer gets one.")
        }
        MailMode::DryRun => {
            "The shop\u{2019}s mails are set to a dry run: they are made, and sent to nobody.".to_owned()
        }
        MailMode::Paused => {
            "The shop\u{2019}s mails are paused: they wait until somebody lets them go.".to_owned()
        }
    }
}

/// Where a surprising setting is mended, if it is on another page: path and words.
#[must_use]
pub fn mended_at(what: &Surprise) -> Option<(String, &'static str)> {
    let at = |path: &str, words| Some((path.to_owned(), words));
    match what {
        Surprise::NoCarrier { .. } => at("/settings/integrations", "Connect a carrier"),
        Surprise::CarrierWithoutKey => at("/settings/integrations", "Add the key"),
        Surprise::NoSender => at("/settings/notifications/sending", "Set the sender"),
        Surprise::MailsNotLive { .. } => at("/settings/notifications/sending", "Change how mails leave"),
        Surprise::TemplateSaysNothing { template } => {
            at(&format!("/settings/notifications/templates/{template}"), "Edit the template")
        }
        Surprise::EndpointOff { endpoint } => {
            at(&format!("/settings/webhooks/{endpoint}"), "Look at the endpoint")
        }
        Surprise::NoStore => at("/settings/integrations", "Connect a store"),
        Surprise::NobodyUses => at("/settings/integrations", "Choose a store\u{2019}s flow"),
        Surprise::BothDirections
        | Surprise::TwoMails
        | Surprise::TemplateGone { .. }
        | Surprise::EndpointGone { .. }
        | Surprise::FulfilledBeforeDefault => None,
    }
}

/// The automations of a stage that are on: icon, word and what each does.
#[must_use]
pub fn automations(all: &Automations) -> Vec<(&'static str, &'static str, &'static str)> {
    let Automations { email, webhook, fulfill, advance_on_delivery } = all;
    let on = [
        (email.as_ref().is_some_and(|a| a.enabled), ("mail", "Mail", "Mails the customer")),
        (webhook.as_ref().is_some_and(|a| a.enabled), ("hook", "Webhook", "Calls a webhook")),
        (fulfill.as_ref().is_some_and(|a| a.enabled), ("check", "Fulfills", "Fulfills on the sales channel")),
        (
            advance_on_delivery.as_ref().is_some_and(|a| a.enabled),
            ("truck", "On delivery", "Orders come here when they are delivered"),
        ),
    ];
    on.into_iter().filter(|(on, _)| *on).map(|(_, words)| words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_back_is_an_icon_and_words() {
        assert_eq!(attempt_badge(Some(204), true), Badge::new(Tone::Good, "204 Taken"));
        assert_eq!(attempt_badge(Some(500), false), Badge::new(Tone::Bad, "500 Refused"));
        assert_eq!(attempt_badge(None, false), Badge::new(Tone::Bad, "No answer"));
    }
}
