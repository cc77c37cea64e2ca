//! Builders for what many tests need: one demo shop, its configuration, and facts about its orders.
//!
//! Everything is plain data with public fields: a test builds the usual thing and changes what it is about.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test library: constants that do not parse end the test"
)]

use std::collections::{BTreeMap, BTreeSet};

use stagepost_app::ports::{Commit, CommitError, OrderStore};
use stagepost_domain::decide::{Changeset, Context, Decision, decide};
use stagepost_domain::event::Actor;
use stagepost_domain::fact::{
    Coverage, Fact, Follows, FulfillmentSeen, MoveFact, OrderFact, Origin, ShipmentId, ShipmentSeen,
    TrackingFact,
};
use stagepost_domain::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, Flow, FulfillAutomation, FulfilledWhen, Stage,
    WebhookAutomation,
};
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, KeyId, MemberId, OrderId, PersonId, ShopId, StageId, TemplateId,
};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::member::Member;
use stagepost_domain::order::{Customer, Lifecycle, Line, Order, Platform, Snapshot, Source};
use stagepost_domain::package::{Package, PackageSeen, TrackingStatus};
use stagepost_domain::shop::{
    ApiKey, CarrierIntegration, CarrierKind, Channel, Endpoint, Playbook, Role, Sealed, Settings,
};
use stagepost_domain::template::EmailTemplate;
use stagepost_domain::{SignedDuration, Timestamp};

/// Where the tests' time begins.
pub const START: &str = "2026-03-01T10:00:00Z";

/// A time from its text.
#[must_use]
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time in a test")
}

/// So many seconds after [`START`].
#[must_use]
pub fn seconds(after_start: i64) -> Timestamp {
    at(START).checked_add(SignedDuration::from_secs(after_start)).expect("a time in a test")
}

/// The demo shop.
#[must_use]
pub fn shop() -> ShopId {
    ShopId::parse("shop_demo").unwrap()
}

/// Somebody else's shop.
#[must_use]
pub fn other_shop() -> ShopId {
    ShopId::parse("shop_other").unwrap()
}

/// A stage's id from its body: `stage_id("new")` is `stg_new`.
#[must_use]
pub fn stage_id(body: &str) -> StageId {
    StageId::from_body(body).unwrap()
}

/// The demo template's id.
#[must_use]
pub fn template_id() -> TemplateId {
    TemplateId::parse("tmpl_news").unwrap()
}

/// The demo endpoint's id.
#[must_use]
pub fn endpoint_id() -> EndpointId {
    EndpointId::parse("ep_hook").unwrap()
}

/// The demo channel's id.
#[must_use]
pub fn channel_id() -> ChannelId {
    ChannelId::parse("chan_store").unwrap()
}

/// The demo carrier integration's id.
#[must_use]
pub fn carrier_id() -> CarrierId {
    CarrierId::parse("car_parcels").unwrap()
}

/// The demo flow's id.
#[must_use]
pub fn flow_id() -> FlowId {
    FlowId::parse("flow_main").unwrap()
}

/// Settings at this version, with the demo template and endpoint at version 1.
#[must_use]
pub fn settings(shop: &ShopId, config_version: u64) -> Settings {
    Settings {
        shop: shop.clone(),
        name: "Demo Shop".to_owned(),
        config_version,
        grace_seconds: 10,
        from_email: "Demo Shop <orders@shop.test>".to_owned(),
        templates: BTreeMap::from([(template_id(), 1)]),
        endpoints: BTreeMap::from([(endpoint_id(), 1)]),
        subscribers: BTreeMap::new(),
        registrar: None,
        mail: stagepost_domain::shop::MailSettings::default(),
        notify_email: None,
        retention: stagepost_domain::retention::Retention::default(),
    }
}

/// A plain stage `stg_{body}` without automations.
#[must_use]
pub fn stage(body: &str, name: &str) -> Stage {
    Stage {
        id: stage_id(body),
        name: name.to_owned(),
        color: None,
        description: None,
        customer_visible: true,
        automations: Automations::default(),
    }
}

/// *Send Email Notification* with the demo template.
#[must_use]
pub fn mails() -> Option<EmailAutomation> {
    Some(EmailAutomation { enabled: true, template: template_id() })
}

/// *Trigger Webhook* to the demo endpoint.
#[must_use]
pub fn calls() -> Option<WebhookAutomation> {
    Some(WebhookAutomation { enabled: true, endpoint: endpoint_id() })
}

/// *Mark fulfilled on platform*, without the platform's mail.
#[must_use]
pub fn fulfills() -> Option<FulfillAutomation> {
    Some(FulfillAutomation { enabled: true, notify_customer: false })
}

/// The demo flow: New (default, plain) → Packing (mail, webhook) → Ready (mail, webhook, fulfill) → Shipped
/// (fulfilled stage, plain) → Delivered (advance on delivery, mail).
#[must_use]
pub fn flow(shop: &ShopId) -> Flow {
    let mut packing = stage("packing", "Packing");
    packing.automations = Automations { email: mails(), webhook: calls(), ..Automations::default() };
    let mut ready = stage("ready", "Ready to ship");
    ready.automations =
        Automations { email: mails(), webhook: calls(), fulfill: fulfills(), ..Automations::default() };
    let mut delivered = stage("delivered", "Delivered");
    delivered.automations = Automations {
        email: mails(),
        advance_on_delivery: Some(AdvanceOnDelivery { enabled: true }),
        ..Automations::default()
    };
    Flow {
        id: flow_id(),
        shop: shop.clone(),
        name: "Main".to_owned(),
        version: 1,
        stages: vec![stage("new", "New"), packing, ready, stage("shipped", "Shipped"), delivered],
        default_stage: stage_id("new"),
        fulfilled_stage: Some(stage_id("shipped")),
        fulfilled_when: FulfilledWhen::Complete,
        retired: BTreeMap::new(),
        archived_at: None,
    }
}

/// The demo flow with settings at version 1.
#[must_use]
pub fn playbook(shop: &ShopId) -> Playbook {
    Playbook { flow: flow(shop), settings: settings(shop, 1) }
}

/// A connected Shopify store with the demo flow as its default.
#[must_use]
pub fn channel(shop: &ShopId) -> Channel {
    Channel {
        id: channel_id(),
        shop: shop.clone(),
        platform: Platform::Shopify,
        name: "Demo store".to_owned(),
        store: "demo.myshopify.com".to_owned(),
        default_flow: Some(flow_id()),
        armed_at: at("2026-01-01T00:00:00Z"),
        webhook_secrets: Keyring::new(Sealed("sealed-secret".to_owned())),
        credentials: Some(Sealed("sealed-token".to_owned())),
        version: 1,
    }
}

/// A connected tracking service.
#[must_use]
pub fn carrier(shop: &ShopId) -> CarrierIntegration {
    CarrierIntegration {
        id: carrier_id(),
        shop: shop.clone(),
        kind: CarrierKind::Easypost,
        name: "Parcels".to_owned(),
        webhook_secrets: Keyring::new(Sealed("sealed-secret".to_owned())),
        credentials: None,
        version: 1,
    }
}

/// A webhook endpoint.
#[must_use]
pub fn endpoint(shop: &ShopId) -> Endpoint {
    Endpoint {
        id: endpoint_id(),
        shop: shop.clone(),
        name: "Warehouse".to_owned(),
        url: url::Url::parse("https://warehouse.test/hook").unwrap(),
        secrets: Keyring::new(Sealed("sealed-secret".to_owned())),
        events: std::collections::BTreeSet::new(),
        headers: BTreeMap::new(),
        disabled: None,
        mended_at: None,
        version: 1,
    }
}

/// A version of the demo template.
#[must_use]
pub fn template(shop: &ShopId, version: u64) -> EmailTemplate {
    EmailTemplate {
        id: template_id(),
        shop: shop.clone(),
        name: "News".to_owned(),
        version,
        subject: format!("Order {{{{orderNumber}}}} (v{version})"),
        html: None,
        text: Some("Hello {{customerName}}, your order is now {{stageName}}.".to_owned()),
        saved_at: at(START),
    }
}

/// An API key's record.
#[must_use]
pub fn api_key(shop: &ShopId, role: Role) -> ApiKey {
    ApiKey {
        id: KeyId::parse("key_demo").unwrap(),
        shop: shop.clone(),
        name: "Demo".to_owned(),
        role,
        prefix: "sp_demo".to_owned(),
        hash: stagepost_domain::id::token_hash("sp_demo"),
        last_used_at: None,
        created_at: at(START),
    }
}

/// A member of a shop who has not signed in yet, and whose person and id are called alike.
#[must_use]
pub fn member(shop: &ShopId, name: &str, role: Role) -> Member {
    Member {
        id: MemberId::from_body(name).unwrap(),
        shop: shop.clone(),
        person: PersonId::from_body(name).unwrap(),
        email: Sealed(format!("{name}@people.test")),
        name: name.to_owned(),
        role,
        created_at: at(START),
        invited_by: None,
        signed_in_at: None,
        sessions_from: at(START),
        version: 1,
    }
}

/// A person in the console.
#[must_use]
pub fn person() -> Actor {
    Actor::Console { name: "Kim".to_owned(), by: None }
}

/// A program with the demo key.
#[must_use]
pub fn program() -> Actor {
    Actor::ApiKey { id: KeyId::parse("key_demo").unwrap() }
}

/// The demo store's order with this external id.
#[must_use]
pub fn source(external_id: u64) -> Source {
    Source {
        platform: Platform::Shopify,
        store: "demo.myshopify.com".to_owned(),
        external_id: external_id.to_string(),
        channel: Some(channel_id()),
    }
}

/// That order's id in the demo shop.
#[must_use]
pub fn order_id(external_id: u64) -> OrderId {
    source(external_id).order_id(&shop())
}

/// People, lines and money.
#[must_use]
pub fn snapshot() -> Snapshot {
    let line = Line {
        title: "Mug".to_owned(),
        sku: Some("MUG-1".to_owned()),
        quantity: "2".to_owned(),
        price: Some("9.50".to_owned()),
    };
    Snapshot {
        customer: Customer {
            name: Some("Ada Example".to_owned()),
            email: Some("ada@customer.test".to_owned()),
            phone: None,
        },
        ship_to: vec!["1 Example Road".to_owned(), "Exampleton".to_owned()],
        lines: vec![line],
        line_count: 1,
        total: Some("19.00".to_owned()),
        currency: Some("EUR".to_owned()),
        platform_status: Some("paid".to_owned()),
    }
}

/// A live, open, unfulfilled order as its platform shows it `updated` seconds after [`START`].
#[must_use]
pub fn order_fact(external_id: u64, updated: i64) -> OrderFact {
    OrderFact {
        source: source(external_id),
        updated_at: Some(seconds(updated)),
        created_at: at(START),
        number: format!("#{external_id}"),
        lifecycle: Lifecycle::Open,
        snapshot: snapshot(),
        untold: BTreeSet::new(),
        fulfillment: FulfillmentSeen::default(),
        draft: false,
        origin: Origin::Live,
        armed_at: Some(at("2026-01-01T00:00:00Z")),
        default_flow: Some(flow_id()),
        by: None,
    }
}

/// A parcel with a number.
#[must_use]
pub fn parcel(number: &str) -> PackageSeen {
    PackageSeen::parse(Some(number), None, Some("USPS")).unwrap()
}

/// An active fulfillment with these parcels.
#[must_use]
pub fn shipment(id: &str, updated: i64, numbers: &[&str]) -> ShipmentSeen {
    ShipmentSeen {
        id: ShipmentId(id.to_owned()),
        updated_at: seconds(updated),
        active: true,
        packages: numbers.iter().map(|number| parcel(number)).collect(),
        report: None,
    }
}

/// The same order with fulfillments that leave nothing open.
#[must_use]
pub fn fulfilled_fact(external_id: u64, updated: i64, shipments: Vec<ShipmentSeen>) -> OrderFact {
    let mut fact = order_fact(external_id, updated);
    fact.fulfillment =
        FulfillmentSeen { coverage: Coverage::Complete, shipments, ..FulfillmentSeen::default() };
    fact
}

/// A carrier's report.
#[must_use]
pub fn tracking(number: &str, status: TrackingStatus, occurred: i64) -> TrackingFact {
    TrackingFact {
        number: number.to_owned(),
        carrier: Some("USPS".to_owned()),
        status,
        occurred_at: seconds(occurred),
        url: None,
        detail: None,
        offset: None,
    }
}

/// A person's move.
#[must_use]
pub fn move_to(stage: &str, expected_seq: u64) -> Fact {
    Fact::Move(MoveFact { stage: stage_id(stage), expected_seq, actor: person(), follows: Follows::All })
}

/// What was stored of an order, to decide on.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The control item.
    pub order: Option<Order>,
    /// The snapshot.
    pub snapshot: Option<Snapshot>,
    /// The packages.
    pub packages: Vec<Package>,
}

impl Stored {
    /// Reads it.
    pub async fn read<S: OrderStore>(store: &S, id: &OrderId) -> Self {
        let (order, snapshot) = store.order_with_snapshot(id).await.unwrap().unzip();
        Self { order, snapshot: snapshot.flatten(), packages: store.packages(id).await.unwrap() }
    }

    /// Decides `fact` on it, in the demo shop with the demo flow.
    #[must_use]
    pub fn decide(&self, id: &OrderId, fact: &Fact, now: Timestamp) -> Decision {
        let shop = shop();
        let playbook = playbook(&shop);
        let context = Context {
            shop: &shop,
            order_id: id,
            order: self.order.as_ref(),
            snapshot: self.snapshot.as_ref(),
            packages: &self.packages,
            entry: None,
            playbook: Some(&playbook),
            now,
            received_at: now,
            restored_at: None,
        };
        decide(context, fact)
    }
}

/// The changes of a decision that must have made some.
///
/// # Panics
/// It made none.
#[must_use]
pub fn changes(decision: Decision) -> Changeset {
    let Decision::Changed(changes) = decision else { unreachable!("expected a change, got {decision:?}") };
    *changes
}

/// A commit of `changes` over the version that they were decided on.
#[must_use]
pub fn commit(changes: Changeset, write_id: &str) -> Commit {
    let expected_version = changes.order.version.checked_sub(1).filter(|v| *v > 0);
    Commit { changes, expected_version, webhook_body: None, write_id: write_id.to_owned() }
}

/// Reads, decides and commits one fact that must change something.
///
/// # Errors
/// The commit's own.
pub async fn apply<S: OrderStore>(
    store: &S,
    id: &OrderId,
    fact: &Fact,
    now: Timestamp,
) -> Result<Changeset, CommitError> {
    let stored = Stored::read(store, id).await;
    let changes = changes(stored.decide(id, fact, now));
    let write_id = format!("w-{}", changes.event.seq);
    store.commit(&commit(changes.clone(), &write_id)).await?;
    Ok(changes)
}

/// An order fact as a fact.
#[must_use]
pub fn told(fact: OrderFact) -> Fact {
    Fact::Order(Box::new(fact))
}

/// A post office with a key of its own and a pace that holds nobody up.
#[must_use]
pub fn office<L>(links: L) -> stagepost_app::mail::PostOffice<L> {
    stagepost_app::mail::PostOffice {
        links,
        addresses: stagepost_domain::search::SearchKey::of_deployment(&[7; 32]),
        pace: stagepost_domain::pace::Pace::per_second(stagepost_domain::pace::PER_SECOND_MAX),
        public_url: "https://console.test/".parse().unwrap(),
    }
}
