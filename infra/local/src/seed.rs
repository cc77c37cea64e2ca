//! The demo shop that a first start finds: a flow whose stages mail the customer.

use stagepost_app::Core;
use stagepost_app::config::{
    ConfigError, FlowInput, MemberError, StageInput, TemplateInput, create_key, create_owner, create_shop,
    put_flow, put_template,
};
use stagepost_app::people::print_link;
use stagepost_app::ports::ConfigStore;
use stagepost_domain::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, Flow, FulfillAutomation, FulfilledWhen,
};
use stagepost_domain::id::{ShopId, TemplateId};
use stagepost_domain::shop::Role;

use crate::host::Host;

/// The demo shop's id.
pub const DEMO_SHOP: &str = "shop_demo";

/// What a first start made.
#[derive(Clone, PartialEq, Eq)]
pub struct Seeded {
    /// An owner's API key: shown now and never again.
    pub key: String,
    /// The flow.
    pub flow: Flow,
}

/// Makes the demo shop if it is not there. One that a killed start left half-made is completed, with a new
/// key.
///
/// # Errors
/// The store failed.
pub async fn seed<S: ConfigStore>(core: &Core<S>) -> Result<Option<Seeded>, ConfigError> {
    let shop = ShopId::parse(DEMO_SHOP)?;
    let key = match core.store.settings(&shop).await? {
        None => create_shop(core, &shop, "Demo Shop", "orders@demo-shop.example").await?,
        Some(_) if core.store.flows(&shop).await?.is_empty() => {
            create_key(core, &shop, "owner key", Role::Owner).await?.1
        }
        Some(_) => return Ok(None),
    };
    let flow = flow(core, &shop).await?;
    Ok(Some(Seeded { key, flow }))
}

/// The address of the demo shop's owner: its mails are in the mailbox.
pub const DEMO_OWNER: &str = "owner@demo-shop.example";

/// A link that signs the demo shop's owner in to the console, once; none where the shop has been taken away.
///
/// # Errors
/// The store failed.
pub async fn demo_link(host: &Host) -> Result<Option<String>, MemberError> {
    let (core, shop) = (host.core(), ShopId::parse(DEMO_SHOP)?);
    if core.store.settings(&shop).await.map_err(ConfigError::from)?.is_none() {
        return Ok(None);
    }
    let (addresses, owner) = (&host.keys().search, (DEMO_OWNER, "Demo owner"));
    let owner = create_owner(core, host.secrets(), addresses, &shop, owner).await?;
    Ok(Some(print_link(core, &owner).await.map_err(ConfigError::from)?))
}

async fn flow<S: ConfigStore>(core: &Core<S>, shop: &ShopId) -> Result<Flow, ConfigError> {
    let started = template(core, shop, "In production", STARTED).await?;
    let shipped = template(core, shop, "On its way", SHIPPED).await?;
    let delivered = template(core, shop, "Delivered", DELIVERED).await?;
    let fulfill = Some(FulfillAutomation { enabled: true, notify_customer: false });
    let advance_on_delivery = Some(AdvanceOnDelivery { enabled: true });
    let input = FlowInput {
        name: "Made to order".into(),
        stages: vec![
            stage("New", "#64748b", Automations::default()),
            stage("Printing", "#2563eb", mailing(started)),
            stage("Packed", "#9333ea", Automations::default()),
            stage("Shipped", "#ea580c", Automations { fulfill, ..mailing(shipped) }),
            stage("Delivered", "#16a34a", Automations { advance_on_delivery, ..mailing(delivered) }),
        ],
        default_stage: Some("New".into()),
        fulfilled_stage: Some("Shipped".into()),
        fulfilled_when: FulfilledWhen::Complete,
        successors: std::collections::BTreeMap::new(),
    };
    put_flow(core, shop, None, &input, None).await
}

fn stage(name: &str, color: &str, automations: Automations) -> StageInput {
    StageInput {
        id: None,
        name: name.into(),
        color: Some(color.into()),
        description: None,
        customer_visible: true,
        automations,
    }
}

fn mailing(template: TemplateId) -> Automations {
    Automations { email: Some(EmailAutomation { enabled: true, template }), ..Automations::default() }
}

/// Subject and text of a mail.
type Words = (&'static str, &'static str);

const STARTED: Words =
    ("Order {{orderNumber}}: we have started", "we have started on your order {{orderNumber}}.");
const SHIPPED: Words =
    ("Order {{orderNumber}} is on its way", "your order {{orderNumber}} has left our workshop.");
const DELIVERED: Words =
    ("Order {{orderNumber}} has arrived", "your order {{orderNumber}} has been delivered.");

async fn template<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    (subject, news): Words,
) -> Result<TemplateId, ConfigError> {
    let input = TemplateInput {
        name: name.into(),
        subject: subject.into(),
        html: Some(format!(
            "<p>Hello {{{{customerName}}}},</p><p>{news}</p><p><a href=\"{{{{trackingUrl}}}}\">See where it is</a></p>"
        )),
        text: Some(format!(
            "Hello {{{{customerName}}}},\n\n{news}\n\nSee where it is: {{{{trackingUrl}}}}\n"
        )),
    };
    Ok(put_template(core, shop, None, &input, None).await?.id)
}
