//! What the page says.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::Offset;
use stagepost_domain::brand::{Brand, COLOR};
use stagepost_domain::flow::Flow;
use stagepost_domain::order::{Lifecycle, Order};
use stagepost_domain::package::{Checkpoint, Package, TrackingStatus};

use crate::language::{Language, Words};

/// Longest link that is shown: fifty of them must not make a page that a phone waits for.
const URL_MAX: usize = 300;
/// Parcels whose whole history is shown, and how much of it: the page is 50 KB at most.
const HISTORIES_MAX: usize = 3;
const HISTORY_MAX: usize = 6;
/// Longest words of a carrier that are shown, in characters.
const DETAIL_CHARS_MAX: usize = 80;

/// What an order's page is made of.
pub struct Seen<'a> {
    /// The shop's name.
    pub shop: &'a str,
    /// How it looks.
    pub brand: &'a Brand,
    /// The order.
    pub order: &'a Order,
    /// Its flow, if it is in one.
    pub flow: Option<&'a Flow>,
    /// Its parcels.
    pub packages: &'a [Package],
    /// By our clock.
    pub now: Timestamp,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    words: &'static Words,
    other: &'static str,
    shop: &'a str,
    number: &'a str,
    headline: String,
    color: &'a str,
    logo: String,
    notices: Vec<&'static str>,
    steps: Vec<Step<'a>>,
    parcels: Vec<Parcel>,
}

struct Step<'a> {
    name: &'a str,
    description: &'a str,
    class: &'static str,
    state: &'static str,
}

struct Parcel {
    name: String,
    url: String,
    status: &'static str,
    class: &'static str,
    /// Of four, how far it is.
    reached: usize,
    news: Option<News>,
    history: Vec<News>,
}

struct News {
    at: String,
    machine: String,
    ago: String,
    status: &'static str,
    detail: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    words: &'static Words,
    text: &'static str,
}

/// A page with one sentence.
pub fn message(language: Language, text: fn(&Words) -> &'static str) -> String {
    let words = language.words();
    Message { words, text: text(words) }.render().unwrap_or_default()
}

/// The page of one order.
pub fn order(language: Language, seen: &Seen<'_>) -> String {
    let words = language.words();
    let Seen { shop, brand, order, flow, packages, now } = *seen;
    let shown: Vec<&Package> = packages.iter().filter(|p| !p.removed).collect();
    let steps = flow.map(|flow| steps(words, flow, order)).unwrap_or_default();
    let here = steps.iter().find(|step| step.class == "here").map(|step| step.name);
    let page = Page {
        words,
        other: language.other().words().code,
        shop,
        number: &order.number,
        headline: headline(language, order, &shown, here),
        color: brand.color.as_ref().map_or(COLOR, |color| color.as_str()),
        logo: brand.logo.as_ref().map(|logo| logo.data_url()).unwrap_or_default(),
        notices: notices(words, order, &shown),
        steps,
        parcels: shown.iter().enumerate().map(|(n, p)| parcel(language, n, p, now)).collect(),
    };
    page.render().unwrap_or_default()
}

/// The one thing that a customer wants to know.
fn headline(language: Language, order: &Order, packages: &[&Package], here: Option<&str>) -> String {
    let words = language.words();
    if order.lifecycle != Lifecycle::Open {
        return words.cancelled.trim_end_matches('.').to_owned();
    }
    let told = packages.iter().map(|p| p.status).filter(|status| *status != TrackingStatus::Unknown);
    let undelivered = told.clone().filter(|status| *status != TrackingStatus::Delivered).max();
    let all_told = told.clone().count() == packages.len();
    match undelivered.or_else(|| told.max().filter(|_| all_told)) {
        Some(status) => language.status(status).to_owned(),
        None => here.map_or_else(|| format!("{} {}", words.order, order.number), str::to_owned),
    }
}

/// What the customer may have to do something about.
fn notices(words: &'static Words, order: &Order, packages: &[&Package]) -> Vec<&'static str> {
    if order.lifecycle != Lifecycle::Open {
        return vec![words.cancelled];
    }
    let any = |status| packages.iter().any(|p| p.status == status);
    [
        (TrackingStatus::AvailableForPickup, words.pickup),
        (TrackingStatus::AttemptFailed, words.missed),
        (TrackingStatus::Exception, words.trouble),
        (TrackingStatus::ReturnToSender, words.returning),
    ]
    .into_iter()
    .filter_map(|(status, text)| any(status).then_some(text))
    .collect()
}

/// The stages that customers see. An order in a stage that they don't see has reached the last one before.
fn steps<'a>(words: &'static Words, flow: &'a Flow, order: &Order) -> Vec<Step<'a>> {
    let here = order.stage().and_then(|id| flow.position(id));
    let visible = |i: &usize| flow.stages.get(*i).is_some_and(|s| s.customer_visible);
    let shown = here.and_then(|here| (0..=here).rev().find(visible));
    let stages = flow.stages.iter().enumerate().filter(|(_, s)| s.customer_visible);
    stages
        .map(|(i, stage)| {
            let (class, state) = match shown {
                Some(shown) if i < shown => ("done", words.done),
                Some(shown) if i == shown => ("here", words.now),
                _ => ("ahead", words.ahead),
            };
            let description = stage.description.as_deref().filter(|_| class == "here").unwrap_or_default();
            Step { name: &stage.name, description, class, state }
        })
        .collect()
}

fn parcel(language: Language, n: usize, p: &Package, now: Timestamp) -> Parcel {
    let number = p.seen.number.clone().unwrap_or_else(|| format!("{} {}", language.words().parcel, n + 1));
    let history = p.checkpoints.iter().rev().take(HISTORY_MAX).filter(|_| n < HISTORIES_MAX);
    let last = p.checkpoints.last();
    Parcel {
        name: p.seen.carrier.iter().cloned().chain([number]).collect::<Vec<_>>().join(" "),
        url: p.seen.url.clone().filter(|url| url.len() <= URL_MAX).unwrap_or_default(),
        status: language.status(p.status),
        class: class(p.status),
        reached: reached(p.status),
        news: last.map(|scan| news(language, scan, now)),
        history: if p.checkpoints.len() > 1 {
            history.map(|scan| news(language, scan, now)).collect()
        } else {
            Vec::new()
        },
    }
}

fn news(language: Language, scan: &Checkpoint, now: Timestamp) -> News {
    let offset = scan.offset.and_then(|minutes| Offset::from_seconds(i32::from(minutes) * 60).ok());
    let there = offset.unwrap_or(Offset::UTC).to_datetime(scan.at);
    let clock = if offset.is_some() { language.words().their_time } else { "UTC" };
    News {
        at: format!("{} {clock}", language.moment(&there)),
        machine: scan.at.to_string(),
        ago: language.ago(now.duration_since(scan.at).as_mins()),
        status: language.status(scan.status),
        detail: scan.detail.iter().flat_map(|words| words.chars()).take(DETAIL_CHARS_MAX).collect(),
    }
}

/// How far along the four steps of a parcel.
fn reached(status: TrackingStatus) -> usize {
    match status {
        TrackingStatus::Unknown | TrackingStatus::Cancelled => 0,
        TrackingStatus::PreTransit => 1,
        TrackingStatus::InTransit | TrackingStatus::Exception | TrackingStatus::ReturnToSender => 2,
        TrackingStatus::OutForDelivery
        | TrackingStatus::AvailableForPickup
        | TrackingStatus::AttemptFailed => 3,
        TrackingStatus::Delivered => 4,
    }
}

fn class(status: TrackingStatus) -> &'static str {
    match status {
        TrackingStatus::Exception
        | TrackingStatus::AttemptFailed
        | TrackingStatus::ReturnToSender
        | TrackingStatus::Cancelled => "odd",
        TrackingStatus::Delivered => "arrived",
        _ => "",
    }
}
