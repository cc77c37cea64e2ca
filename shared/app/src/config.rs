//! A shop's configuration: every change is one transaction with the shop's settings, so that what refers
//! to what is always consistent.

use serde::{Deserialize, Deserializer};
use stagepost_domain::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, Flow, FulfillAutomation, FulfilledWhen, Stage,
    WebhookAutomation,
};
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, InvalidId, KeyId, ShopId, StageId, TemplateId, token_hash,
};
use stagepost_domain::order::Platform;
use stagepost_domain::shop::{
    ApiKey, CarrierIntegration, CarrierKind, Channel, Endpoint, GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX,
    Role, Sealed, Settings,
};
use stagepost_domain::signing::webhook_secret;
use stagepost_domain::template::EmailTemplate;
use stagepost_domain::text::{Invalid, required_name};
use url::Url;

use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{CommitError, ConfigChange, ConfigStore, SecretError, SecretKind, Secrets, StoreError};

/// Most flows, templates, endpoints, channels or carriers of one shop.
pub const EACH_MAX: usize = 100;
/// Longest secret or credential that is taken, in bytes.
pub const SECRET_MAX: usize = 500;

/// A change of configuration was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not valid; each field is named.
    #[error("the configuration is not valid")]
    Invalid(Vec<Invalid>),
    /// What was to be changed is not there.
    #[error("not found")]
    NotFound,
    /// Others kept changing the configuration.
    #[error("the configuration is being changed by others")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

impl From<Invalid> for ConfigError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}

/// A stage as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageInput {
    /// Given for a stage that exists.
    pub id: Option<StageId>,
    /// Name.
    pub name: String,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Visible unless said otherwise.
    #[serde(default = "visible")]
    pub customer_visible: bool,
    /// What happens on entry.
    #[serde(default, deserialize_with = "automations")]
    pub automations: Automations,
}

fn visible() -> bool {
    true
}

/// The automations as somebody writes them: a mistyped setting must not pass for one that is not there.
/// (What is stored stays lenient: a release that is rolled back reads what the next one wrote.)
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AutomationsInput {
    email: Option<EmailInput>,
    webhook: Option<WebhookInput>,
    fulfill: Option<FulfillInput>,
    advance_on_delivery: Option<AdvanceInput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailInput {
    enabled: bool,
    template: TemplateId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookInput {
    enabled: bool,
    endpoint: EndpointId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FulfillInput {
    enabled: bool,
    #[serde(default)]
    notify_customer: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceInput {
    enabled: bool,
}

fn automations<'de, D: Deserializer<'de>>(input: D) -> Result<Automations, D::Error> {
    let input = AutomationsInput::deserialize(input)?;
    Ok(Automations {
        email: input.email.map(|a| EmailAutomation { enabled: a.enabled, template: a.template }),
        webhook: input.webhook.map(|a| WebhookAutomation { enabled: a.enabled, endpoint: a.endpoint }),
        fulfill: input
            .fulfill
            .map(|a| FulfillAutomation { enabled: a.enabled, notify_customer: a.notify_customer }),
        advance_on_delivery: input.advance_on_delivery.map(|a| AdvanceOnDelivery { enabled: a.enabled }),
    })
}

/// A flow as somebody writes it. Stages are referred to by id or by name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowInput {
    /// Name.
    pub name: String,
    /// In order of position.
    pub stages: Vec<StageInput>,
    /// The first stage unless said otherwise.
    pub default_stage: Option<String>,
    /// None unless said.
    pub fulfilled_stage: Option<String>,
    /// `complete` unless said otherwise.
    #[serde(default)]
    pub fulfilled_when: FulfilledWhen,
}

/// A template as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateInput {
    /// Name.
    pub name: String,
    /// Subject line.
    pub subject: String,
    /// HTML part.
    pub html: Option<String>,
    /// Plain part.
    pub text: Option<String>,
}

/// An endpoint as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointInput {
    /// Name.
    pub name: String,
    /// Where to.
    pub url: String,
}

/// A channel as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelInput {
    /// `shopify` or `woocommerce`.
    pub platform: Platform,
    /// Name.
    pub name: String,
    /// `{shop}.myshopify.com`, or the WooCommerce site's URL.
    pub store: String,
    /// Signs its notifications.
    pub webhook_secret: String,
    /// Shopify: Admin API access token. WooCommerce: `ck_…:cs_…`. Needed for *Mark fulfilled on platform*.
    pub credentials: Option<String>,
    /// Where its new orders go.
    pub default_flow: Option<FlowId>,
}

/// A carrier integration as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierInput {
    /// `easypost`.
    pub kind: CarrierKind,
    /// Name.
    pub name: String,
    /// Signs its notifications.
    pub webhook_secret: String,
}

/// What a shop may set about itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsInput {
    /// Name that customers know.
    pub name: Option<String>,
    /// Sender of its mails.
    pub from_email: Option<String>,
    /// Grace of its mails, 0 to 300.
    pub grace_seconds: Option<u32>,
}

/// The settings as they will be after one more change of configuration.
async fn edited<S: ConfigStore>(core: &Core<S>, shop: &ShopId) -> Result<Settings, ConfigError> {
    let mut settings = core.store.settings(shop).await?.ok_or(ConfigError::NotFound)?;
    settings.config_version = settings.config_version.saturating_add(1);
    Ok(settings)
}

/// Writes a change with the settings that go with it; false when somebody else changed the configuration
/// since the settings were read.
async fn saved<S: ConfigStore>(
    core: &Core<S>,
    change: ConfigChange,
    settings: &Settings,
) -> Result<bool, ConfigError> {
    match core.store.save(&change, settings).await {
        Ok(()) => Ok(true),
        Err(CommitError::LostRace | CommitError::Conflict) => Ok(false),
        Err(CommitError::Store(e)) => Err(e.into()),
    }
}

/// Makes a shop with its first owner key; gives the key, which is shown once.
///
/// # Errors
/// The shop exists, or the store failed.
pub async fn create_shop<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    from_email: &str,
) -> Result<String, ConfigError> {
    let settings = Settings {
        shop: shop.clone(),
        name: required_name("name", name, 80)?,
        config_version: 1,
        grace_seconds: GRACE_SECONDS_DEFAULT,
        from_email: email_address("from_email", from_email)?,
        templates: std::collections::BTreeMap::new(),
        endpoints: std::collections::BTreeMap::new(),
    };
    // One write: a shop without a key is one that nobody gets into.
    let (change, _, token) = new_key(core, shop, "first owner key", Role::Owner)?;
    if saved(core, change, &settings).await? {
        return Ok(token);
    }
    Err(Invalid::new("shop", "exists already").into())
}

/// Makes an API key; the token is shown once and stored as a hash.
///
/// # Errors
/// The name is not valid, or the store failed.
pub async fn create_key<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    role: Role,
) -> Result<(ApiKey, String), ConfigError> {
    let (change, key, token) = new_key(core, shop, name, role)?;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        if saved(core, change.clone(), &settings).await? {
            return Ok((key, token));
        }
    }
    Err(ConfigError::Busy)
}

/// A key as it is stored, and its token.
fn new_key<S>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    role: Role,
) -> Result<(ConfigChange, ApiKey, String), ConfigError> {
    let token: String = core.entropy.bytes().iter().map(|b| format!("{b:02x}")).collect();
    let token = format!("sp_{token}");
    let key = ApiKey {
        id: KeyId::from_body(&core.entropy.id_body())?,
        shop: shop.clone(),
        name: required_name("name", name, 80)?,
        role,
        prefix: token.chars().take(9).collect(),
        created_at: core.now(),
    };
    Ok((ConfigChange::Key { hash: token_hash(&token), key: key.clone() }, key, token))
}

/// Changes what a shop says of itself.
///
/// # Errors
/// A field is not valid, or the store failed.
pub async fn update_settings<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    input: &SettingsInput,
) -> Result<Settings, ConfigError> {
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        if let Some(name) = &input.name {
            settings.name = required_name("name", name, 80)?;
        }
        if let Some(address) = &input.from_email {
            settings.from_email = email_address("from_email", address)?;
        }
        if let Some(seconds) = input.grace_seconds {
            if seconds > GRACE_SECONDS_MAX {
                let reason = format!("must be at most {GRACE_SECONDS_MAX}");
                return Err(Invalid::new("grace_seconds", reason).into());
            }
            settings.grace_seconds = seconds;
        }
        if saved(core, ConfigChange::Shop, &settings).await? {
            return Ok(settings);
        }
    }
    Err(ConfigError::Busy)
}

/// Makes a flow, or edits the one given.
///
/// # Errors
/// The flow is not valid, names a template or endpoint that is not there, or leaves out a stage that
/// orders may stand in.
pub async fn put_flow<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: Option<&FlowId>,
    input: &FlowInput,
) -> Result<Flow, ConfigError> {
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let existing = match id {
            Some(id) => Some(core.store.flow(shop, id).await?.ok_or(ConfigError::NotFound)?),
            None => {
                refuse_above("flows", core.store.flows(shop).await?.len())?;
                None
            }
        };
        let flow =
            build_flow(core, shop, existing.as_ref(), input)?.validated().map_err(ConfigError::Invalid)?;
        let mut wrong = dangling(&flow, &settings);
        wrong.extend(existing.iter().flat_map(|old| lost_stages(old, &flow)));
        if !wrong.is_empty() {
            return Err(ConfigError::Invalid(wrong));
        }
        if saved(core, ConfigChange::Flow(flow.clone()), &settings).await? {
            return Ok(flow);
        }
    }
    Err(ConfigError::Busy)
}

fn build_flow<S>(
    core: &Core<S>,
    shop: &ShopId,
    existing: Option<&Flow>,
    input: &FlowInput,
) -> Result<Flow, ConfigError> {
    let mut stages = Vec::with_capacity(input.stages.len());
    for (i, stage) in input.stages.iter().enumerate() {
        let id = match &stage.id {
            Some(id) if existing.is_some_and(|f| f.stage(id).is_some()) => id.clone(),
            Some(_) => {
                return Err(Invalid::new(format!("stages[{i}].id"), "is not a stage of this flow").into());
            }
            None => StageId::from_body(&core.entropy.id_body())?,
        };
        stages.push(Stage {
            id,
            name: stage.name.clone(),
            color: stage.color.clone(),
            description: stage.description.clone(),
            customer_visible: stage.customer_visible,
            automations: stage.automations.clone(),
        });
    }
    let default_stage = match &input.default_stage {
        Some(named) => find_stage("default_stage", &stages, named)?,
        None => stages.first().map(|s| s.id.clone()).ok_or(Invalid::new("stages", "must not be empty"))?,
    };
    let fulfilled_stage =
        input.fulfilled_stage.as_ref().map(|n| find_stage("fulfilled_stage", &stages, n)).transpose()?;
    Ok(Flow {
        id: existing.map_or_else(|| FlowId::from_body(&core.entropy.id_body()), |f| Ok(f.id.clone()))?,
        shop: shop.clone(),
        name: input.name.clone(),
        version: existing.map_or(1, |f| f.version.saturating_add(1)),
        stages,
        default_stage,
        fulfilled_stage,
        fulfilled_when: input.fulfilled_when,
    })
}

fn find_stage(field: &str, stages: &[Stage], named: &str) -> Result<StageId, Invalid> {
    stages
        .iter()
        .find(|s| s.id.as_str() == named || s.name == named)
        .map(|s| s.id.clone())
        .ok_or_else(|| Invalid::new(field, format!("no stage has the id or name \"{named}\"")))
}

fn dangling(flow: &Flow, settings: &Settings) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    for (i, stage) in flow.stages.iter().enumerate() {
        let automations = &stage.automations;
        if automations.email.as_ref().is_some_and(|a| !settings.templates.contains_key(&a.template)) {
            wrong.push(Invalid::new(
                format!("stages[{i}].automations.email.template"),
                "no such e-mail template",
            ));
        }
        if automations.webhook.as_ref().is_some_and(|a| !settings.endpoints.contains_key(&a.endpoint)) {
            wrong.push(Invalid::new(
                format!("stages[{i}].automations.webhook.endpoint"),
                "no such webhook endpoint",
            ));
        }
    }
    wrong
}

fn lost_stages(old: &Flow, new: &Flow) -> Option<Invalid> {
    let lost = old.stages.iter().find(|s| new.stage(&s.id).is_none())?;
    let reason = format!("stage \"{}\" ({}) is left out; orders may stand in it", lost.name, lost.id);
    Some(Invalid::new("stages", reason))
}

fn refuse_above(what: &str, count: usize) -> Result<(), Invalid> {
    if count < EACH_MAX {
        return Ok(());
    }
    Err(Invalid::new(what, format!("a shop has at most {EACH_MAX} of them")))
}

/// Makes a template, or a new version of the one given.
///
/// # Errors
/// The template does not parse or uses what a mail would not have; the field, line and variable are named.
pub async fn put_template<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: Option<&TemplateId>,
    input: &TemplateInput,
) -> Result<EmailTemplate, ConfigError> {
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let (id, version) = match id {
            Some(id) => (id.clone(), *settings.templates.get(id).ok_or(ConfigError::NotFound)? + 1),
            None => {
                refuse_above("email_templates", settings.templates.len())?;
                (TemplateId::from_body(&core.entropy.id_body())?, 1)
            }
        };
        let template = EmailTemplate {
            id,
            shop: shop.clone(),
            name: input.name.clone(),
            version,
            subject: input.subject.clone(),
            html: input.html.clone(),
            text: input.text.clone(),
            saved_at: core.now(),
        };
        let template = template.validated().map_err(ConfigError::Invalid)?;
        settings.templates.insert(template.id.clone(), version);
        if saved(core, ConfigChange::Template(template.clone()), &settings).await? {
            return Ok(template);
        }
    }
    Err(ConfigError::Busy)
}

/// Makes an endpoint, or edits the one given. A new one gets a secret, which is shown once.
///
/// `check` is the outbound guard's word on the URL.
///
/// # Errors
/// The name or URL is not valid.
pub async fn put_endpoint<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: Option<&EndpointId>,
    input: &EndpointInput,
    check: impl Fn(&Url) -> Result<(), String>,
) -> Result<(Endpoint, Option<String>), ConfigError> {
    let name = required_name("name", &input.name, 80)?;
    let url = Url::parse(&input.url).map_err(|e| Invalid::new("url", e.to_string()))?;
    check(&url).map_err(|reason| Invalid::new("url", reason))?;
    let secret = webhook_secret(&core.entropy.bytes());
    let sealed = secrets.seal(shop, SecretKind::EndpointSecret, &secret).await?;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let (endpoint, shown) = match id {
            Some(id) => {
                let old = core.store.endpoint(shop, id).await?.ok_or(ConfigError::NotFound)?;
                let version = old.version.saturating_add(1);
                (Endpoint { name: name.clone(), url: url.clone(), version, ..old }, None)
            }
            None => {
                refuse_above("webhook_endpoints", settings.endpoints.len())?;
                let endpoint = Endpoint {
                    id: EndpointId::from_body(&core.entropy.id_body())?,
                    shop: shop.clone(),
                    name: name.clone(),
                    url: url.clone(),
                    secrets: vec![sealed.clone()],
                    enabled: true,
                    version: 1,
                };
                (endpoint, Some(secret.clone()))
            }
        };
        settings.endpoints.insert(endpoint.id.clone(), endpoint.version);
        if saved(core, ConfigChange::Endpoint(endpoint.clone()), &settings).await? {
            return Ok((endpoint, shown));
        }
    }
    Err(ConfigError::Busy)
}

/// Connects a store. Its orders created before now are adopted silently when they show up.
///
/// # Errors
/// A field is not valid, or the shop has connected the store already: two channels of one store would hand
/// its orders to and fro with every notification.
pub async fn create_channel<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    input: &ChannelInput,
    check: impl Fn(&Url) -> Result<(), String>,
) -> Result<Channel, ConfigError> {
    let name = required_name("name", &input.name, 80)?;
    let store = store_identity(input, check)?;
    let webhook =
        seal(secrets, shop, SecretKind::ChannelWebhook, "webhook_secret", &input.webhook_secret).await?;
    let credentials = match &input.credentials {
        Some(plain) => {
            if input.platform == Platform::Woocommerce && !plain.contains(':') {
                return Err(Invalid::new("credentials", "must be consumer key and secret: ck_…:cs_…").into());
            }
            Some(seal(secrets, shop, SecretKind::ChannelCredentials, "credentials", plain).await?)
        }
        None => None,
    };
    let id = ChannelId::from_body(&core.entropy.id_body())?;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let channels = core.store.channels(shop).await?;
        refuse_above("channels", channels.len())?;
        if let Some(there) = channels.into_iter().find(|c| c.platform == input.platform && c.store == store) {
            // By our own write, whose answer was lost.
            let ours = there.id == id;
            return if ours { Ok(there) } else { Err(Invalid::new("store", "is connected already").into()) };
        }
        if let Some(flow) = &input.default_flow
            && core.store.flow(shop, flow).await?.is_none()
        {
            return Err(Invalid::new("default_flow", "no such flow").into());
        }
        let channel = Channel {
            id: id.clone(),
            shop: shop.clone(),
            platform: input.platform,
            name: name.clone(),
            store: store.clone(),
            default_flow: input.default_flow.clone(),
            armed_at: core.now(),
            webhook_secrets: vec![webhook.clone()],
            credentials: credentials.clone(),
            version: 1,
        };
        if saved(core, ConfigChange::Channel(channel.clone()), &settings).await? {
            return Ok(channel);
        }
    }
    Err(ConfigError::Busy)
}

/// The store's own identity: part of its orders' ids, so it has one spelling.
fn store_identity(
    input: &ChannelInput,
    check: impl Fn(&Url) -> Result<(), String>,
) -> Result<String, Invalid> {
    match input.platform {
        Platform::Shopify => {
            let domain = input.store.trim().to_ascii_lowercase();
            let name = domain.strip_suffix(".myshopify.com").unwrap_or_default();
            let well_formed = name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if well_formed {
                Ok(domain)
            } else {
                Err(Invalid::new("store", "must look like my-shop.myshopify.com"))
            }
        }
        Platform::Woocommerce => {
            let url = Url::parse(input.store.trim()).map_err(|e| Invalid::new("store", e.to_string()))?;
            check(&url).map_err(|reason| Invalid::new("store", reason))?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Invalid::new("store", "must be the site's address, without ? or #"));
            }
            Ok(url.as_str().trim_end_matches('/').to_owned())
        }
        Platform::Api => Err(Invalid::new("platform", "must be shopify or woocommerce")),
    }
}

/// Connects a carrier service.
///
/// # Errors
/// A field is not valid.
pub async fn create_carrier<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    input: &CarrierInput,
) -> Result<CarrierIntegration, ConfigError> {
    let name = required_name("name", &input.name, 80)?;
    let webhook =
        seal(secrets, shop, SecretKind::CarrierWebhook, "webhook_secret", &input.webhook_secret).await?;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        refuse_above("carriers", core.store.carriers(shop).await?.len())?;
        let carrier = CarrierIntegration {
            id: CarrierId::from_body(&core.entropy.id_body())?,
            shop: shop.clone(),
            kind: input.kind,
            name: name.clone(),
            webhook_secrets: vec![webhook.clone()],
            version: 1,
        };
        if saved(core, ConfigChange::Carrier(carrier.clone()), &settings).await? {
            return Ok(carrier);
        }
    }
    Err(ConfigError::Busy)
}

async fn seal<K: Secrets>(
    secrets: &K,
    shop: &ShopId,
    kind: SecretKind,
    field: &str,
    plain: &str,
) -> Result<Sealed, ConfigError> {
    if plain.trim().is_empty() || plain.len() > SECRET_MAX {
        return Err(Invalid::new(field, format!("must have 1 to {SECRET_MAX} bytes")).into());
    }
    Ok(secrets.seal(shop, kind, plain).await?)
}

fn email_address(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let well_formed = text.len() <= 254
        && text.is_ascii()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
        && text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        });
    if well_formed { Ok(text.to_owned()) } else { Err(Invalid::new(field, "must be an e-mail address")) }
}
