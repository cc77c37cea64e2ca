//! A shop's configuration.

use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, ChannelId, EndpointId, FlowId, ShopId, TemplateId};
use stagepost_domain::job::Job;
use stagepost_domain::member::Member;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::template::EmailTemplate;

use super::errors::{CommitError, StoreError};
use crate::mail::ports::AskedMail;

/// One change of configuration; it is written together with the shop's new settings.
#[derive(Debug, Clone)]
pub enum ConfigChange {
    /// A new shop.
    Shop,
    /// How the shop looks.
    Brand(Brand),
    /// A flow, new or edited.
    Flow(Flow),
    /// A new version of a template.
    Template(EmailTemplate),
    /// An endpoint.
    Endpoint(Endpoint),
    /// A channel, with its lookup.
    Channel(Channel),
    /// A carrier integration, with its lookup.
    Carrier(CarrierIntegration),
    /// An API key, with its lookup by hash.
    Key(ApiKey),
    /// An API key is revoked.
    NoKey(ApiKey),
    /// A member, with the look-up by person.
    Member(Member),
    /// A member is gone, with the look-up.
    NoMember(Member),
    /// A template is not to be had any more; the versions that runs name stay.
    NoTemplate(TemplateId),
    /// An endpoint is gone.
    NoEndpoint(EndpointId),
    /// A channel is gone, with its lookup.
    NoChannel(ChannelId),
    /// A carrier integration is gone, with its lookup.
    NoCarrier(CarrierId),
    /// A change with the jobs that follow from it.
    WithJobs(Box<ConfigChange>, Vec<Job>),
    /// A change with a mail that tells of it.
    WithMail(Box<ConfigChange>, Box<AskedMail>),
}

impl ConfigChange {
    /// The change with what follows from it.
    #[must_use]
    pub fn with_jobs(self, jobs: Vec<Job>) -> Self {
        if jobs.is_empty() { self } else { Self::WithJobs(Box::new(self), jobs) }
    }
}

/// A shop's configuration.
pub trait ConfigStore: Send + Sync {
    /// The shop's settings.
    fn settings(&self, shop: &ShopId) -> impl Future<Output = Result<Option<Settings>, StoreError>> + Send;
    /// How the shop looks to its customers; plain if nothing was ever said.
    fn brand(&self, shop: &ShopId) -> impl Future<Output = Result<Brand, StoreError>> + Send;
    /// A flow as it is now, strongly consistent: a switch that was just turned counts at once.
    fn flow(
        &self,
        shop: &ShopId,
        id: &FlowId,
    ) -> impl Future<Output = Result<Option<Flow>, StoreError>> + Send;
    /// All flows.
    fn flows(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Flow>, StoreError>> + Send;
    /// One version of a template, or the newest.
    fn template(
        &self,
        shop: &ShopId,
        id: &TemplateId,
        version: Option<u64>,
    ) -> impl Future<Output = Result<Option<EmailTemplate>, StoreError>> + Send;
    /// The newest version of all templates.
    fn templates(&self, shop: &ShopId)
    -> impl Future<Output = Result<Vec<EmailTemplate>, StoreError>> + Send;
    /// An endpoint.
    fn endpoint(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<Endpoint>, StoreError>> + Send;
    /// All endpoints.
    fn endpoints(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Endpoint>, StoreError>> + Send;
    /// A channel by the id in its inbound URL.
    fn channel(&self, id: &ChannelId) -> impl Future<Output = Result<Option<Channel>, StoreError>> + Send;
    /// All channels of a shop.
    fn channels(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Channel>, StoreError>> + Send;
    /// A carrier integration by the id in its inbound URL.
    fn carrier(
        &self,
        id: &CarrierId,
    ) -> impl Future<Output = Result<Option<CarrierIntegration>, StoreError>> + Send;
    /// All carrier integrations of a shop.
    fn carriers(
        &self,
        shop: &ShopId,
    ) -> impl Future<Output = Result<Vec<CarrierIntegration>, StoreError>> + Send;
    /// An API key by its hash, strongly consistent.
    fn api_key(&self, hash: &str) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;
    /// All API keys of a shop.
    fn api_keys(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<ApiKey>, StoreError>> + Send;
    /// Notes when a key was used. One that was revoked meanwhile stays so. No change of configuration.
    fn note_use(&self, key: &ApiKey, at: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Writes one change and the settings that go with it, if `config_version` is still
    /// `settings.config_version - 1` (0 for a new shop: no settings may exist).
    fn save(
        &self,
        change: &ConfigChange,
        settings: &Settings,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}
