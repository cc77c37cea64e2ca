//! What a customer sees, by requests as API Gateway makes them.

use std::sync::Arc;

use stagepost_app::apply::apply;
use stagepost_app::config::{BrandInput, update_brand};
use stagepost_app::mail::TrackingLinks;
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::SignedDuration;
use stagepost_domain::brand::LOGO_MAX;
use stagepost_domain::fact::{Fact, PackageEdit};
use stagepost_domain::flow::Flow;
use stagepost_domain::package::{CHECKPOINTS_MAX, PACKAGES_MAX, PackageSeen, TrackingStatus};
use stagepost_testkit::memory::MemoryStore;
use stagepost_testkit::{ManualClock, SeededEntropy, build};

use super::*;

const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

struct Visit {
    tracking: Tracking<MemoryStore>,
}

impl Visit {
    /// An order in *New* of the demo shop.
    async fn new(change: impl FnOnce(&mut Flow)) -> Self {
        let store = MemoryStore::new();
        let clock = ManualClock::new(build::at(build::START));
        let core = Core {
            store,
            clock: Arc::new(clock),
            entropy: Arc::new(SeededEntropy::new(1)),
            restored_at: None,
        };
        let links = SignedLinks::new("https://shop.test/".parse().unwrap(), [7; 32]);
        let visit = Self { tracking: Tracking { core, links } };
        let mut flow = build::flow(&build::shop());
        change(&mut flow);
        for (n, change) in [ConfigChange::Shop, ConfigChange::Flow(flow)].into_iter().enumerate() {
            let settings = build::settings(&build::shop(), u64::try_from(n).unwrap() + 1);
            visit.tracking.core.store.save(&change, &settings).await.unwrap();
        }
        visit.tell(&build::told(build::order_fact(1001, 0))).await;
        visit
    }

    async fn tell(&self, fact: &Fact) {
        apply(&self.tracking.core, &build::shop(), &build::order_id(1001), fact).await.unwrap();
    }

    async fn parcel(&self, number: &str, url: Option<&str>) {
        let edit = PackageEdit::Add(PackageSeen::parse(Some(number), url, Some("UPS")).unwrap());
        self.tell(&Fact::Packages { edit, actor: build::person() }).await;
    }

    async fn scanned(
        &self,
        number: &str,
        status: TrackingStatus,
        at: i64,
        detail: &str,
        offset: Option<i16>,
    ) {
        let mut report = build::tracking(number, status, at);
        (report.detail, report.offset) = (Some(detail.to_owned()), offset);
        self.tell(&Fact::Tracking(report)).await;
    }

    async fn link(&self) -> String {
        let order = self.tracking.core.store.order(&build::order_id(1001)).await.unwrap().unwrap();
        self.tracking.links.link(&order)
    }

    async fn get(&self, url: &str, language: &str) -> (u16, String) {
        let request = lambda_http::http::Request::get(url).header("accept-language", language);
        let response = handle(&self.tracking, request.body(Body::Empty).unwrap()).await;
        assert_eq!(response.headers()["cache-control"], "private, no-store");
        assert_eq!(response.headers()["x-robots-tag"], "noindex, nofollow");
        let Body::Text(page) = response.body() else { panic!("no page") };
        (response.status().as_u16(), page.clone())
    }

    async fn page(&self) -> String {
        let (status, page) = self.get(&self.link().await, "en").await;
        assert_eq!(status, 200);
        page
    }
}

#[tokio::test]
async fn stages_that_customers_see_stand_as_done_now_and_to_come_and_others_do_not() {
    let visit = Visit::new(|flow| {
        flow.stages[1].customer_visible = false;
        flow.stages[1].name = "Secret <check>".to_owned();
        flow.stages[2].name = "Ready <b>".to_owned();
        flow.stages[2].description = Some("It waits & rests".to_owned());
    })
    .await;
    visit.tell(&build::move_to("packing", 1)).await;
    let page = visit.page().await;
    assert!(page.contains("aria-current=\"step\">New <span class=\"state\">– now"), "{page}");
    assert!(!page.contains("Secret"));
    visit.tell(&build::move_to("ready", 2)).await;
    let page = visit.page().await;
    assert!(page.contains("<li class=\"done\">New"), "{page}");
    assert!(page.contains("<h1>Ready &#60;b&#62;</h1>"), "{page}");
    assert!(page.contains("It waits &#38; rests"));
    assert!(!page.contains("Ada"), "no person");
}

#[tokio::test]
async fn a_parcel_shows_its_status_link_and_last_news_in_its_own_time() {
    let visit = Visit::new(|_| {}).await;
    visit.parcel("1Z1", Some("https://ups.test/1Z1")).await;
    assert!(visit.page().await.contains("No news from the carrier yet"));
    visit.scanned("1Z1", TrackingStatus::InTransit, -7_200, "Left <hub>", Some(60)).await;
    visit.scanned("1Z1", TrackingStatus::OutForDelivery, -600, "On the van", None).await;
    let page = visit.page().await;
    assert!(page.contains("<h1>Out for delivery</h1>"), "{page}");
    assert!(page.contains("href=\"https://ups.test/1Z1\" rel=\"noreferrer nofollow\""));
    let there = |seconds: i64, hours: i64| {
        let at = build::seconds(seconds) + SignedDuration::from_hours(hours);
        Language::English.moment(&at.to_zoned(jiff::tz::TimeZone::UTC).datetime())
    };
    assert!(page.contains(&format!("{} local time", there(-7_200, 1))), "{page}");
    assert!(page.contains(&format!("{} UTC</time> (10 min ago) – On the van", there(-600, 0))), "{page}");
    assert!(page.contains("Left &#60;hub&#62;"));
    visit.parcel("1Z2", None).await;
    visit.scanned("1Z2", TrackingStatus::Exception, -60, "Damaged", None).await;
    assert!(visit.page().await.contains("The carrier reports a problem"));
}

#[tokio::test]
async fn an_order_is_delivered_once_all_its_parcels_are() {
    let visit = Visit::new(|_| {}).await;
    visit.parcel("1Z1", None).await;
    visit.parcel("1Z2", None).await;
    visit.scanned("1Z1", TrackingStatus::Delivered, -60, "x", None).await;
    assert!(!visit.page().await.contains("<h1>Delivered</h1>"), "nobody knows of the other");
    visit.scanned("1Z2", TrackingStatus::OutForDelivery, -50, "x", None).await;
    assert!(visit.page().await.contains("<h1>Out for delivery</h1>"));
    visit.scanned("1Z2", TrackingStatus::Delivered, -40, "x", None).await;
    assert!(visit.page().await.contains("<h1>Delivered</h1>"));
}

#[tokio::test]
async fn it_speaks_german_to_whoever_asks_for_it() {
    let visit = Visit::new(|_| {}).await;
    visit.parcel("1Z1", None).await;
    visit.scanned("1Z1", TrackingStatus::Delivered, -60, "x", Some(60)).await;
    let link = visit.link().await;
    for (url, accepted) in [(link.clone(), "de-DE,en;q=0.5"), (format!("{link}?lang=de"), "en")] {
        let (_, page) = visit.get(&url, accepted).await;
        assert!(page.contains("<html lang=\"de\">") && page.contains("<h1>Zugestellt</h1>"), "{page}");
        assert!(page.contains("Ortszeit") && page.contains("href=\"?lang=en\""));
    }
    assert!(visit.get("https://shop.test/t/nothing", "de").await.1.contains("nicht gültig"));
}

#[tokio::test]
async fn the_shops_logo_and_colour_are_in_the_page_and_nobody_else_is_asked_for_them() {
    let visit = Visit::new(|_| {}).await;
    let input = BrandInput { color: Some(Some("#AA0044".to_owned())), logo: Some(Some(PNG.to_owned())) };
    update_brand(&visit.tracking.core, &build::shop(), &input).await.unwrap();
    let page = visit.page().await;
    assert!(
        page.contains("--mark: #aa0044;") && page.contains("<img src=\"data:image/png;base64,"),
        "{page}"
    );
    assert!(!page.contains("<script") && !page.contains("src=\"http"));
    let gone = BrandInput { color: None, logo: Some(None) };
    update_brand(&visit.tracking.core, &build::shop(), &gone).await.unwrap();
    let page = visit.page().await;
    assert!(page.contains("--mark: #aa0044;") && !page.contains("<img"));
}

#[tokio::test]
async fn a_revoked_link_opens_nothing_and_tells_nothing() {
    let visit = Visit::new(|_| {}).await;
    let before = visit.link().await;
    visit.tell(&Fact::RenewLink { actor: build::person() }).await;
    let after = visit.link().await;
    assert_ne!(before, after);
    assert_eq!(visit.get(&after, "en").await.0, 200);
    let stranger = visit.get("https://shop.test/t/none-AAAAAAAAAAAAAAAAAAAAAA", "en").await;
    assert_eq!(visit.get(&before, "en").await, stranger, "as if it had never been one");
    assert_eq!(stranger.0, 404);
}

#[tokio::test]
async fn a_page_with_everything_on_it_is_fifty_kilobytes_at_most() {
    let visit = Visit::new(|_| {}).await;
    for n in 0..PACKAGES_MAX {
        let url = format!(
            "https://www.carrier.example.com/tracking/details?number=94001000000000000000{n:02}&lang=en"
        );
        visit.parcel(&format!("94001000000000000000{n:02}"), Some(&url)).await;
        for at in 0..i64::try_from(CHECKPOINTS_MAX).unwrap() {
            let words = "Departed from a sorting centre with a rather long name, somewhere in the middle";
            visit
                .scanned(
                    &format!("94001000000000000000{n:02}"),
                    TrackingStatus::InTransit,
                    at,
                    &format!("{at} {words}"),
                    Some(60),
                )
                .await;
        }
    }
    let page = visit.page().await;
    assert!(page.len() <= 50 * 1024 - LOGO_MAX.div_ceil(3) * 4, "{} bytes without a logo", page.len());
    assert_eq!(page.matches("href=\"https://www.carrier").count(), PACKAGES_MAX);
}
