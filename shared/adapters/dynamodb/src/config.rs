//! Configuration: documents of a shop, written together with its settings on one version.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stagepost_app::ports::{CommitError, ConfigChange, ConfigStore, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, ChannelId, EndpointId, FlowId, ShopId, TemplateId};
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::template::EmailTemplate;

use crate::commit::{Cancelled, Step, condition_failed, unconditional};
use crate::expression::{Expression, absent};
use crate::health;
use crate::jobs;
use crate::keys::{BRAND, Key, LOOKUP, SETTINGS, shop_pk};
use crate::mail::asked_row;
use crate::people;
use crate::row::{Row, corrupt, document, number, read_document, text};
use crate::store::{DynamoStore, Span, WriteError};

/// Documents of one kind that a listing gives.
const LISTED_MAX: usize = 1_000;

impl ConfigStore for DynamoStore {
    async fn settings(&self, shop: &ShopId) -> Result<Option<Settings>, StoreError> {
        self.find(&Key::new(shop_pk(shop), SETTINGS)).await
    }

    async fn flow(&self, shop: &ShopId, id: &FlowId) -> Result<Option<Flow>, StoreError> {
        self.find(&of_shop(shop, "FLOW", id.as_str())).await
    }

    async fn flows(&self, shop: &ShopId) -> Result<Vec<Flow>, StoreError> {
        self.list(shop, "FLOW").await
    }

    async fn template(
        &self,
        shop: &ShopId,
        id: &TemplateId,
        version: Option<u64>,
    ) -> Result<Option<EmailTemplate>, StoreError> {
        let newest = || of_shop(shop, "TEMPLATE", id.as_str());
        self.find(&version.map_or_else(newest, |version| template_version(shop, id, version))).await
    }

    async fn templates(&self, shop: &ShopId) -> Result<Vec<EmailTemplate>, StoreError> {
        self.list(shop, "TEMPLATE").await
    }

    async fn endpoint(&self, shop: &ShopId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.find(&of_shop(shop, "ENDPOINT", id.as_str())).await
    }

    async fn endpoints(&self, shop: &ShopId) -> Result<Vec<Endpoint>, StoreError> {
        self.list(shop, "ENDPOINT").await
    }

    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, StoreError> {
        self.find(&lookup("CHANNEL", id.as_str())).await
    }

    async fn channels(&self, shop: &ShopId) -> Result<Vec<Channel>, StoreError> {
        self.list(shop, "CHANNEL").await
    }

    async fn brand(&self, shop: &ShopId) -> Result<Brand, StoreError> {
        Ok(self.find(&Key::new(shop_pk(shop), BRAND)).await?.unwrap_or_default())
    }

    async fn carrier(&self, id: &CarrierId) -> Result<Option<CarrierIntegration>, StoreError> {
        self.find(&lookup("CARRIER", id.as_str())).await
    }

    async fn carriers(&self, shop: &ShopId) -> Result<Vec<CarrierIntegration>, StoreError> {
        self.list(shop, "CARRIER").await
    }

    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        self.find(&lookup("KEY", hash)).await
    }

    async fn api_keys(&self, shop: &ShopId) -> Result<Vec<ApiKey>, StoreError> {
        self.list(shop, "KEY").await
    }

    async fn note_use(&self, key: &ApiKey, at: Timestamp) -> Result<(), StoreError> {
        for place in [of_shop(&key.shop, "KEY", key.id.as_str()), lookup("KEY", &key.hash)] {
            let noted = Expression::update("SET #d.#used = :at", "attribute_exists(pk)");
            let noted = noted.name("d", "d").name("used", "last_used_at").value("at", text(at.to_string()));
            match self.update(&place, &noted).await {
                Ok(_) | Err(WriteError::Condition(_)) => {}
                Err(error) => return Err(error.plain()),
            }
        }
        Ok(())
    }

    async fn save(&self, change: &ConfigChange, settings: &Settings) -> Result<(), CommitError> {
        let mut steps = vec![settings_step(settings)?];
        steps.extend(change_steps(change, &settings.shop)?);
        match self.write_all(settings.shop.as_str(), &steps).await {
            Ok(()) => Ok(()),
            Err(Cancelled::Other(error)) => Err(error),
            Err(Cancelled::Reasons(reasons)) if condition_failed(reasons.first()) => {
                Err(CommitError::LostRace)
            }
            // A member signs in without an edit of the configuration.
            Err(Cancelled::Reasons(reasons))
                if matches!(change, ConfigChange::Member(_)) && condition_failed(reasons.get(1)) =>
            {
                Err(CommitError::LostRace)
            }
            Err(Cancelled::Reasons(reasons)) if reasons.iter().any(|r| condition_failed(Some(r))) => {
                // The settings were as read, so this is no race.
                Err(corrupt(name_of(change), "it is there already and may not be replaced").into())
            }
            Err(Cancelled::Reasons(reasons)) => Err(unconditional(&reasons)),
        }
    }
}

impl DynamoStore {
    pub(crate) async fn find<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        self.get(key).await?.map(read_document).transpose()
    }

    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        shop: &ShopId,
        kind: &str,
    ) -> Result<Vec<T>, StoreError> {
        let span = Span::prefix(shop_pk(shop), &format!("{kind}#"));
        self.query(&span, LISTED_MAX).await?.into_iter().map(read_document).collect()
    }
}

pub(crate) fn of_shop(shop: &ShopId, kind: &str, id: &str) -> Key {
    Key::new(shop_pk(shop), format!("{kind}#{id}"))
}

/// Beside the templates, not below them: a listing shows the newest version of each and reads no other.
fn template_version(shop: &ShopId, id: &TemplateId, version: u64) -> Key {
    Key::new(shop_pk(shop), format!("TEMPLATEV#{id}#{version:06}"))
}

fn lookup(kind: &str, id: &str) -> Key {
    Key::new(format!("{kind}#{id}"), LOOKUP)
}

fn settings_step(settings: &Settings) -> Result<Step, StoreError> {
    let mut row = document(&Key::new(shop_pk(&settings.shop), SETTINGS), settings)?;
    row.insert("cv".to_owned(), number(settings.config_version));
    let condition = match settings.config_version.saturating_sub(1) {
        0 => absent(),
        read => Expression::condition("#cv = :cv").name("cv", "cv").value("cv", number(read)),
    };
    Ok(Step::Put(row, Some(condition)))
}

fn change_steps(change: &ConfigChange, shop: &ShopId) -> Result<Vec<Step>, StoreError> {
    let plain = |kind: &str, id: &str| of_shop(shop, kind, id);
    Ok(match change {
        ConfigChange::Shop => Vec::new(),
        ConfigChange::Brand(brand) => vec![put(&Key::new(shop_pk(shop), BRAND), brand, None)?],
        ConfigChange::Flow(flow) => vec![put(&plain("FLOW", flow.id.as_str()), flow, None)?],
        ConfigChange::Endpoint(endpoint) => {
            vec![put(&plain("ENDPOINT", endpoint.id.as_str()), endpoint, None)?]
        }
        ConfigChange::Template(template) => vec![
            put(&plain("TEMPLATE", template.id.as_str()), template, None)?,
            put(&template_version(shop, &template.id, template.version), template, Some(absent()))?,
        ],
        ConfigChange::Channel(channel) => with_lookup(shop, "CHANNEL", channel.id.as_str(), None, channel)?,
        ConfigChange::Carrier(carrier) => with_lookup(shop, "CARRIER", carrier.id.as_str(), None, carrier)?,
        ConfigChange::Key(key) => with_lookup(shop, "KEY", key.id.as_str(), Some(&key.hash), key)?,
        ConfigChange::NoKey(key) => {
            vec![Step::Delete(of_shop(shop, "KEY", key.id.as_str())), Step::Delete(lookup("KEY", &key.hash))]
        }
        ConfigChange::Member(member) => people::kept(member)?,
        ConfigChange::NoMember(member) => people::gone(member),
        ConfigChange::NoTemplate(id) => vec![Step::Delete(plain("TEMPLATE", id.as_str()))],
        ConfigChange::NoEndpoint(id) => {
            vec![Step::Delete(plain("ENDPOINT", id.as_str())), Step::Delete(health::key(shop, id))]
        }
        ConfigChange::NoChannel(id) => without_lookup(shop, "CHANNEL", id.as_str()),
        ConfigChange::NoCarrier(id) => without_lookup(shop, "CARRIER", id.as_str()),
        ConfigChange::WithMail(change, mail) => {
            let mut steps = change_steps(change, shop)?;
            steps.push(Step::Put(asked_row(mail)?, Some(absent())));
            steps
        }
        ConfigChange::WithJobs(change, jobs) => {
            let mut steps = change_steps(change, shop)?;
            for job in jobs {
                steps.push(Step::Put(jobs::to_row(job)?, Some(absent())));
            }
            steps
        }
    })
}

pub(crate) fn put<T: Serialize>(
    key: &Key,
    value: &T,
    condition: Option<Expression>,
) -> Result<Step, StoreError> {
    Ok(Step::Put(document(key, value)?, condition))
}

/// The document in its shop, and again where it is found without one. A lookup never changes hands.
fn with_lookup<T: Serialize>(
    shop: &ShopId,
    kind: &str,
    id: &str,
    found_by: Option<&str>,
    value: &T,
) -> Result<Vec<Step>, StoreError> {
    let key = lookup(kind, found_by.unwrap_or(id));
    let mut row: Row = document(&key, value)?;
    row.insert("sh".to_owned(), text(shop.as_str()));
    let ours = Expression::condition("attribute_not_exists(pk) OR #sh = :sh")
        .name("sh", "sh")
        .value("sh", text(shop.as_str()));
    Ok(vec![put(&of_shop(shop, kind, id), value, None)?, Step::Put(row, Some(ours))])
}

fn without_lookup(shop: &ShopId, kind: &str, id: &str) -> Vec<Step> {
    vec![Step::Delete(of_shop(shop, kind, id)), Step::Delete(lookup(kind, id))]
}

fn name_of(change: &ConfigChange) -> String {
    match change {
        ConfigChange::Shop => SETTINGS.to_owned(),
        ConfigChange::Brand(_) => BRAND.to_owned(),
        ConfigChange::Flow(flow) => flow.id.to_string(),
        ConfigChange::Template(template) => template.id.to_string(),
        ConfigChange::Endpoint(endpoint) => endpoint.id.to_string(),
        ConfigChange::Channel(channel) => channel.id.to_string(),
        ConfigChange::Carrier(carrier) => carrier.id.to_string(),
        ConfigChange::Key(key) | ConfigChange::NoKey(key) => key.id.to_string(),
        ConfigChange::Member(member) | ConfigChange::NoMember(member) => member.id.to_string(),
        ConfigChange::NoTemplate(id) => id.to_string(),
        ConfigChange::NoEndpoint(id) => id.to_string(),
        ConfigChange::NoChannel(id) => id.to_string(),
        ConfigChange::NoCarrier(id) => id.to_string(),
        ConfigChange::WithJobs(change, _) | ConfigChange::WithMail(change, _) => name_of(change),
    }
}
