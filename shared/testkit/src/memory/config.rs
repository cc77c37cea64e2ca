//! Configuration in memory.

use std::collections::BTreeMap;

use stagepost_app::ports::{CommitError, ConfigChange, ConfigStore, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, ChannelId, EndpointId, FlowId, ShopId, TemplateId};
use stagepost_domain::member::Member;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::template::EmailTemplate;

use super::{MemoryStore, State};

impl ConfigStore for MemoryStore {
    async fn settings(&self, shop: &ShopId) -> Result<Option<Settings>, StoreError> {
        Ok(self.lock().settings.get(shop).cloned())
    }

    async fn flow(&self, shop: &ShopId, id: &FlowId) -> Result<Option<Flow>, StoreError> {
        Ok(self.lock().flows.get(&(shop.clone(), id.clone())).cloned())
    }

    async fn flows(&self, shop: &ShopId) -> Result<Vec<Flow>, StoreError> {
        Ok(self.lock().flows.values().filter(|flow| &flow.shop == shop).cloned().collect())
    }

    async fn template(
        &self,
        shop: &ShopId,
        id: &TemplateId,
        version: Option<u64>,
    ) -> Result<Option<EmailTemplate>, StoreError> {
        let (from, to) = version.map_or((0, u64::MAX), |v| (v, v));
        let state = self.lock();
        if version.is_none() && state.gone.contains(&(shop.clone(), id.clone())) {
            return Ok(None);
        }
        let versions = (shop.clone(), id.clone(), from)..=(shop.clone(), id.clone(), to);
        Ok(state.templates.range(versions).next_back().map(|(_, template)| template.clone()))
    }

    async fn templates(&self, shop: &ShopId) -> Result<Vec<EmailTemplate>, StoreError> {
        let state = self.lock();
        let there =
            |t: &&EmailTemplate| t.shop == *shop && !state.gone.contains(&(shop.clone(), t.id.clone()));
        let of_shop = state.templates.values().filter(there);
        let newest: BTreeMap<&TemplateId, &EmailTemplate> = of_shop.map(|t| (&t.id, t)).collect();
        Ok(newest.into_values().cloned().collect())
    }

    async fn endpoint(&self, shop: &ShopId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.lock().endpoints.get(&(shop.clone(), id.clone())).cloned())
    }

    async fn endpoints(&self, shop: &ShopId) -> Result<Vec<Endpoint>, StoreError> {
        Ok(self.lock().endpoints.values().filter(|endpoint| &endpoint.shop == shop).cloned().collect())
    }

    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, StoreError> {
        Ok(self.lock().channels.get(id).cloned())
    }

    async fn channels(&self, shop: &ShopId) -> Result<Vec<Channel>, StoreError> {
        Ok(self.lock().channels.values().filter(|channel| &channel.shop == shop).cloned().collect())
    }

    async fn brand(&self, shop: &ShopId) -> Result<Brand, StoreError> {
        Ok(self.lock().brands.get(shop).cloned().unwrap_or_default())
    }

    async fn carrier(&self, id: &CarrierId) -> Result<Option<CarrierIntegration>, StoreError> {
        Ok(self.lock().carriers.get(id).cloned())
    }

    async fn carriers(&self, shop: &ShopId) -> Result<Vec<CarrierIntegration>, StoreError> {
        Ok(self.lock().carriers.values().filter(|carrier| &carrier.shop == shop).cloned().collect())
    }

    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.lock().keys.get(hash).cloned())
    }

    async fn api_keys(&self, shop: &ShopId) -> Result<Vec<ApiKey>, StoreError> {
        let state = self.lock();
        let keys = state.keys.values().filter(|key| &key.shop == shop);
        let by_id: BTreeMap<_, _> = keys.map(|key| (&key.id, key)).collect();
        Ok(by_id.into_values().cloned().collect())
    }

    async fn note_use(&self, key: &ApiKey, at: Timestamp) -> Result<(), StoreError> {
        self.write_plain(|state| {
            if let Some(there) = state.keys.get_mut(&key.hash) {
                there.last_used_at = Some(at);
            }
        })
    }

    async fn save(&self, change: &ConfigChange, settings: &Settings) -> Result<(), CommitError> {
        self.write(|state| {
            let stored = state.settings.get(&settings.shop).map_or(0, |s| s.config_version);
            if settings.config_version != stored.saturating_add(1) {
                return Err(CommitError::LostRace);
            }
            state.check_owner(change, &settings.shop)?;
            state.keep(change, &settings.shop);
            state.settings.insert(settings.shop.clone(), settings.clone());
            Ok(())
        })
    }
}

impl State {
    /// What is looked up by its id alone must not change hands, and a stored template version never changes.
    fn check_owner(&self, change: &ConfigChange, shop: &ShopId) -> Result<(), CommitError> {
        let (item, taken) = match change {
            ConfigChange::WithJobs(change, _) | ConfigChange::WithMail(change, _) => {
                return self.check_owner(change, shop);
            }
            ConfigChange::Shop
            | ConfigChange::Brand(_)
            | ConfigChange::Flow(_)
            | ConfigChange::Endpoint(_)
            | ConfigChange::NoTemplate(_)
            | ConfigChange::NoEndpoint(_)
            | ConfigChange::NoChannel(_)
            | ConfigChange::NoCarrier(_)
            | ConfigChange::NoMember(_)
            | ConfigChange::NoKey(_) => return Ok(()),
            ConfigChange::Template(t) => {
                let key = (t.shop.clone(), t.id.clone(), t.version);
                (t.id.to_string(), self.templates.contains_key(&key))
            }
            ConfigChange::Channel(c) => {
                (c.id.to_string(), self.channels.get(&c.id).is_some_and(|old| &old.shop != shop))
            }
            ConfigChange::Carrier(c) => {
                (c.id.to_string(), self.carriers.get(&c.id).is_some_and(|old| &old.shop != shop))
            }
            ConfigChange::Member(member) => {
                let stored = self.members.get(&(shop.clone(), member.id.clone()));
                if stored.and_then(|there| there.signed_in_at) != member.signed_in_at {
                    return Err(CommitError::LostRace);
                }
                let same = |other: &&Member| other.shop == *shop && other.person == member.person;
                let there = self.members.values().find(same);
                (member.id.to_string(), there.is_some_and(|old| old.id != member.id))
            }
            ConfigChange::Key(key) => {
                (key.id.to_string(), self.keys.get(&key.hash).is_some_and(|old| &old.shop != shop))
            }
        };
        if taken {
            let reason = "it is there already and may not be replaced".to_owned();
            return Err(StoreError::Corrupt { item, reason }.into());
        }
        Ok(())
    }

    fn keep(&mut self, change: &ConfigChange, shop: &ShopId) {
        match change.clone() {
            ConfigChange::Shop => {}
            ConfigChange::Brand(brand) => {
                self.brands.insert(shop.clone(), brand);
            }
            ConfigChange::Flow(flow) => {
                self.flows.insert((flow.shop.clone(), flow.id.clone()), flow);
            }
            ConfigChange::Template(template) => {
                let key = (template.shop.clone(), template.id.clone(), template.version);
                self.templates.insert(key, template);
            }
            ConfigChange::Endpoint(endpoint) => {
                self.endpoints.insert((endpoint.shop.clone(), endpoint.id.clone()), endpoint);
            }
            ConfigChange::Channel(channel) => {
                self.channels.insert(channel.id.clone(), channel);
            }
            ConfigChange::Carrier(carrier) => {
                self.carriers.insert(carrier.id.clone(), carrier);
            }
            ConfigChange::Key(key) => {
                self.keys.insert(key.hash.clone(), key);
            }
            ConfigChange::NoKey(key) => {
                self.keys.remove(&key.hash);
            }
            ConfigChange::Member(member) => {
                self.members.insert((shop.clone(), member.id.clone()), member);
            }
            ConfigChange::NoMember(member) => {
                self.members.remove(&(shop.clone(), member.id));
            }
            ConfigChange::NoTemplate(id) => {
                self.gone.insert((shop.clone(), id));
            }
            ConfigChange::NoEndpoint(id) => {
                self.healths.remove(&(shop.clone(), id.clone()));
                self.endpoints.remove(&(shop.clone(), id));
            }
            ConfigChange::NoChannel(id) => {
                self.channels.remove(&id);
            }
            ConfigChange::NoCarrier(id) => {
                self.carriers.remove(&id);
            }
            ConfigChange::WithMail(change, mail) => {
                self.keep(&change, shop);
                self.asked_mails.insert((mail.asker(), mail.id.clone()), *mail);
            }
            ConfigChange::WithJobs(change, jobs) => {
                self.keep(&change, shop);
                jobs.iter().for_each(|job| self.put_job(job));
            }
        }
    }
}
