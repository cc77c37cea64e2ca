//! What the page says.

use askama::Template;
use stagepost_domain::flow::Flow;
use stagepost_domain::order::{Lifecycle, Order};
use stagepost_domain::package::{Package, TrackingStatus};

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    shop: &'a str,
    number: &'a str,
    notice: &'a str,
    steps: Vec<Step<'a>>,
    parcels: Vec<Parcel>,
}

struct Step<'a> {
    name: &'a str,
    description: &'a str,
    class: &'static str,
}

struct Parcel {
    carrier: String,
    number: String,
    url: String,
    status: &'static str,
    at: String,
}

/// The page of one order.
pub fn order(shop: &str, order: &Order, flow: Option<&Flow>, packages: &[Package]) -> String {
    let notice = match order.lifecycle {
        Lifecycle::Open => "",
        Lifecycle::Cancelled { .. } | Lifecycle::Trashed => "This order was cancelled.",
    };
    let page = Page {
        shop,
        number: &order.number,
        notice,
        steps: flow.map(|flow| steps(flow, order)).unwrap_or_default(),
        parcels: packages.iter().filter(|p| !p.removed).map(parcel).collect(),
    };
    page.render().unwrap_or_default()
}

/// A page with one sentence.
pub fn message(words: &str) -> String {
    let page = Page { shop: words, number: "status", notice: "", steps: Vec::new(), parcels: Vec::new() };
    page.render().unwrap_or_default()
}

/// The stages that customers see. An order in a stage that they don't see has reached the last one before.
fn steps<'a>(flow: &'a Flow, order: &Order) -> Vec<Step<'a>> {
    let here = order.stage().and_then(|id| flow.position(id));
    let visible = |i: &usize| flow.stages.get(*i).is_some_and(|s| s.customer_visible);
    let shown = here.and_then(|here| (0..=here).rev().find(visible));
    let stages = flow.stages.iter().enumerate().filter(|(_, s)| s.customer_visible);
    stages
        .map(|(i, stage)| Step {
            name: &stage.name,
            description: stage.description.as_deref().filter(|_| shown == Some(i)).unwrap_or_default(),
            class: match shown {
                Some(shown) if i < shown => "done",
                Some(shown) if i == shown => "here",
                _ => "ahead",
            },
        })
        .collect()
}

fn parcel(p: &Package) -> Parcel {
    let url = p.seen.url.clone().unwrap_or_default();
    Parcel {
        carrier: p.seen.carrier.clone().unwrap_or_default(),
        number: p.seen.number.clone().unwrap_or_else(|| "Follow this parcel".to_owned()),
        url,
        status: words(p.status),
        at: p.mark.map(|at| at.strftime("%-d %B %Y, %H:%M UTC").to_string()).unwrap_or_default(),
    }
}

fn words(status: TrackingStatus) -> &'static str {
    match status {
        TrackingStatus::Unknown => "No news from the carrier yet",
        TrackingStatus::PreTransit => "Label made",
        TrackingStatus::InTransit => "On its way",
        TrackingStatus::OutForDelivery => "Out for delivery",
        TrackingStatus::AvailableForPickup => "Ready to be picked up",
        TrackingStatus::AttemptFailed => "A delivery was tried",
        TrackingStatus::Exception => "Delayed",
        TrackingStatus::Cancelled => "Cancelled",
        TrackingStatus::Delivered => "Delivered",
        TrackingStatus::ReturnToSender => "On its way back",
    }
}
