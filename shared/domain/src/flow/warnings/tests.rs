//! Every surprise, one small change away from a flow that has none.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, FulfillAutomation, FulfilledWhen, WebhookAutomation,
};
use crate::id::{CarrierId, ChannelId, FlowId, ShopId};
use crate::keyring::Keyring;
use crate::shop::{CarrierKind, Disabled, DisabledReason, MailSettings, Sealed};

/// A shop with one of everything.
#[derive(Clone)]
struct World {
    flow: Flow,
    settings: Settings,
    channels: Vec<Channel>,
    carriers: Vec<CarrierIntegration>,
    templates: Vec<EmailTemplate>,
    endpoints: Vec<Endpoint>,
}

fn shop() -> ShopId {
    ShopId::from_body("a").unwrap()
}

fn time() -> jiff::Timestamp {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn keys() -> Keyring {
    Keyring::new(Sealed("x".to_owned()))
}

fn stage(body: &str, automations: Automations) -> Stage {
    let (id, name) = (StageId::from_body(body).unwrap(), body.to_owned());
    Stage { id, name, color: None, description: None, customer_visible: true, automations }
}

fn template() -> TemplateId {
    TemplateId::from_body("a").unwrap()
}

fn endpoint() -> EndpointId {
    EndpointId::from_body("a").unwrap()
}

/// New → Packed (mail, webhook, fulfill) → Shipped (fulfilled stage) → Delivered (advance on delivery).
fn flow() -> Flow {
    let packed = Automations {
        email: Some(EmailAutomation { enabled: true, template: template() }),
        webhook: Some(WebhookAutomation { enabled: true, endpoint: endpoint() }),
        fulfill: Some(FulfillAutomation { enabled: true, notify_customer: false }),
        advance_on_delivery: None,
    };
    let advance_on_delivery = Some(AdvanceOnDelivery { enabled: true });
    let delivered = Automations { advance_on_delivery, ..Automations::default() };
    let stages = vec![
        stage("new", Automations::default()),
        stage("packed", packed),
        stage("shipped", Automations::default()),
        stage("delivered", delivered),
    ];
    Flow {
        id: FlowId::from_body("a").unwrap(),
        shop: shop(),
        name: "Orders".to_owned(),
        version: 1,
        default_stage: stages[0].id.clone(),
        fulfilled_stage: Some(stages[2].id.clone()),
        stages,
        fulfilled_when: FulfilledWhen::Complete,
        retired: BTreeMap::new(),
        archived_at: None,
    }
}

fn settings() -> Settings {
    Settings {
        shop: shop(),
        name: "Shop".to_owned(),
        config_version: 1,
        grace_seconds: 10,
        from_email: "orders@shop.test".to_owned(),
        templates: BTreeMap::new(),
        endpoints: BTreeMap::new(),
        subscribers: BTreeMap::new(),
        registrar: None,
        notify_email: None,
        retention: crate::retention::Retention::default(),
        mail: MailSettings::default(),
    }
}

fn channel(platform: Platform) -> Channel {
    Channel {
        id: ChannelId::from_body("a").unwrap(),
        shop: shop(),
        platform,
        name: "Store".to_owned(),
        store: "store".to_owned(),
        default_flow: Some(flow().id),
        armed_at: time(),
        webhook_secrets: keys(),
        credentials: None,
        version: 1,
    }
}

fn world() -> World {
    let carrier = CarrierIntegration {
        id: CarrierId::from_body("a").unwrap(),
        shop: shop(),
        kind: CarrierKind::Easypost,
        name: "Parcels".to_owned(),
        webhook_secrets: keys(),
        credentials: Some(Sealed("x".to_owned())),
        version: 1,
    };
    let news = EmailTemplate {
        id: template(),
        shop: shop(),
        name: "News".to_owned(),
        version: 1,
        subject: "News of {{shopName}}".to_owned(),
        html: None,
        text: Some("Order {{orderNumber}}".to_owned()),
        saved_at: time(),
    };
    let hook = Endpoint {
        id: endpoint(),
        shop: shop(),
        name: "Hook".to_owned(),
        url: url::Url::parse("https://hook.test/").unwrap(),
        secrets: keys(),
        events: BTreeSet::new(),
        disabled: None,
        headers: BTreeMap::new(),
        mended_at: None,
        version: 1,
    };
    World {
        flow: flow(),
        settings: settings(),
        channels: vec![channel(Platform::Shopify)],
        carriers: vec![carrier],
        templates: vec![news],
        endpoints: vec![hook],
    }
}

impl World {
    fn warnings(&self) -> Vec<(Option<&str>, Surprise)> {
        let Self { flow, settings, channels, carriers, templates, endpoints } = self;
        let found = warnings(flow, &Around { settings, channels, carriers, templates, endpoints });
        let name = |id: StageId| flow.stage(&id).map(|stage| stage.name.as_str());
        found.into_iter().map(|w| (w.stage.and_then(name), w.what)).collect()
    }

    fn packed(&mut self) -> &mut Automations {
        &mut self.flow.stages[1].automations
    }
}

type Change = fn(&mut World);

fn not_live(mode: MailMode) -> Surprise {
    Surprise::MailsNotLive { mode }
}

#[test]
fn a_flow_as_it_should_be_has_no_warnings() {
    assert_eq!(world().warnings(), []);
}

#[test]
fn each_surprise_is_told_where_it_is() {
    let to = || "me@shop.test".to_owned();
    let (packed, delivered) = (Some("packed"), Some("delivered"));
    let table: Vec<(Change, Option<&str>, Surprise)> = vec![
        (|w| w.flow.fulfilled_stage = Some(w.flow.stages[1].id.clone()), packed, Surprise::BothDirections),
        (|w| w.packed().fulfill.as_mut().unwrap().notify_customer = true, packed, Surprise::TwoMails),
        (|w| w.carriers.clear(), delivered, Surprise::NoCarrier { shopify: true }),
        (
            |w| {
                w.carriers.clear();
                w.channels[0].platform = Platform::Woocommerce;
            },
            delivered,
            Surprise::NoCarrier { shopify: false },
        ),
        (|w| w.carriers[0].credentials = None, delivered, Surprise::CarrierWithoutKey),
        (|w| w.settings.from_email = " ".to_owned(), packed, Surprise::NoSender),
        (|w| w.settings.mail.mode = MailMode::DryRun, packed, not_live(MailMode::DryRun)),
        (|w| w.settings.mail.mode = MailMode::Paused, packed, not_live(MailMode::Paused)),
        (
            |w| w.settings.mail.mode = MailMode::Test { to: "me@shop.test".to_owned() },
            packed,
            not_live(MailMode::Test { to: to() }),
        ),
        (|w| w.templates.clear(), packed, Surprise::TemplateGone { template: template() }),
        (
            |w| w.templates[0].text = Some("You are at {{stageName}} of {{shopName}}".to_owned()),
            packed,
            Surprise::TemplateSaysNothing { template: template() },
        ),
        (|w| w.endpoints.clear(), packed, Surprise::EndpointGone { endpoint: endpoint() }),
        (
            |w| {
                w.endpoints[0].disabled = Some(Disabled { since: time(), reason: DisabledReason::ByHand });
            },
            packed,
            Surprise::EndpointOff { endpoint: endpoint() },
        ),
        (|w| w.channels[0].platform = Platform::Api, packed, Surprise::NoStore),
        (|w| w.flow.default_stage = w.flow.stages[3].id.clone(), None, Surprise::FulfilledBeforeDefault),
        (|w| w.channels[0].default_flow = None, None, Surprise::NobodyUses),
    ];
    for (change, stage, surprise) in table {
        let mut world = world();
        change(&mut world);
        assert_eq!(world.warnings(), [(stage, surprise)]);
    }
}

#[test]
fn what_is_switched_off_surprises_nobody() {
    let mut world = world();
    world.packed().email.as_mut().unwrap().enabled = false;
    world.packed().webhook.as_mut().unwrap().enabled = false;
    let fulfill = world.packed().fulfill.as_mut().unwrap();
    (fulfill.enabled, fulfill.notify_customer) = (false, true);
    world.flow.stages[3].automations.advance_on_delivery = Some(AdvanceOnDelivery { enabled: false });
    world.flow.fulfilled_stage = Some(world.flow.stages[1].id.clone());
    (world.templates, world.endpoints, world.carriers, world.channels) = Default::default();
    world.settings.mail.mode = MailMode::Paused;
    assert_eq!(world.warnings(), []);
}

#[test]
fn a_template_speaks_of_the_order_in_any_part_and_behind_a_condition_too() {
    let html = "{{#if carrier}}Sent with {{carrier}}{{/if}}";
    for (subject, html, text) in [
        ("Order {{orderNumber}}", None, Some("Hello")),
        ("News", Some(html), None),
        ("News", None, Some("{{#each items}}{{title}}{{/each}}")),
        ("News", None, Some("{{trackingUrl}}")),
    ] {
        let mut world = world();
        let template = &mut world.templates[0];
        template.subject = subject.to_owned();
        (template.html, template.text) = (html.map(str::to_owned), text.map(str::to_owned));
        assert_eq!(world.warnings(), [], "{subject}");
    }
}
