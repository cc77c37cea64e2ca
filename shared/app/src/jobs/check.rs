//! Whether a connection's credentials work: one call that changes nothing at the far end. A job makes it, because
//! nothing is sent from a request handler; and the job is what is known of it.

use stagepost_domain::id::{InvalidId, JobId, ShopId, content_key};
use stagepost_domain::job::{Connection, Counted, Job, JobKind, PageDone, Progress};
use stagepost_domain::order::Platform;
use stagepost_domain::shop::{CarrierIntegration, Channel, Sealed};
use stagepost_domain::text::Invalid;

use super::{JobRequestError, PageError, Tools};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::platform::access;
use crate::ports::{ActError, CommitError, ConfigStore, JobStore, OrderSource, Secrets, TrackerService};
use crate::tracker;

/// How much of a hash tells one set of credentials from the next.
const HASH: usize = 10;

/// The job that checks these credentials of a connection. It follows from them as they are sealed: new ones are
/// new, and nothing is known of them yet.
///
/// # Errors
/// None: a connection's body with a hash behind it is a job's.
pub fn check_of(connection: &Connection, credentials: &Sealed) -> Result<JobId, InvalidId> {
    let hash = content_key(&["check", connection.body(), &credentials.0]);
    JobId::from_body(&format!("{}{}", connection.body(), hash.get(..HASH).unwrap_or_default()))
}

/// The job that checks a channel's credentials, if it has any.
#[must_use]
pub fn check_of_channel(channel: &Channel) -> Option<JobId> {
    check_of(&Connection::Channel(channel.id.clone()), channel.credentials.as_ref()?).ok()
}

/// The job that checks a carrier integration's credentials, if it has any.
#[must_use]
pub fn check_of_carrier(carrier: &CarrierIntegration) -> Option<JobId> {
    check_of(&Connection::Carrier(carrier.id.clone()), carrier.credentials.as_ref()?).ok()
}

/// A check of credentials that are new with this edit; none of those that stay.
pub(crate) fn checked_if_new<S>(
    core: &Core<S>,
    shop: &ShopId,
    connection: Connection,
    old: Option<&Sealed>,
    new: Option<&Sealed>,
) -> Result<Option<Job>, InvalidId> {
    let Some(new) = new.filter(|new| Some(*new) != old) else { return Ok(None) };
    let id = check_of(&connection, new)?;
    Ok(Some(Job::new(id, shop.clone(), JobKind::Check { connection }, core.now())))
}

/// Has a connection's credentials checked, again if they were before.
///
/// # Errors
/// The shop has no such connection, it has no credentials, or the store failed.
pub async fn check<S: ConfigStore + JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    connection: Connection,
) -> Result<Job, JobRequestError> {
    let credentials = credentials(core, shop, &connection).await?;
    let credentials = credentials.ok_or_else(|| Invalid::new("credentials", "there are none to check"))?;
    let id = check_of(&connection, &credentials)?;
    for _ in 0..TRIES_MAX {
        let written = match core.store.job(shop, &id).await? {
            None => {
                let kind = JobKind::Check { connection: connection.clone() };
                let job = Job::new(id.clone(), shop.clone(), kind, core.now());
                core.store.create_job(&job).await.map(|()| job)
            }
            Some(job) => match job.renewed(core.now()) {
                Ok(next) => core.store.update_job(&next).await.map(|()| next),
                // It is being checked this very moment.
                Err(_) => return Ok(job),
            },
        };
        match written {
            Ok(job) => return Ok(job),
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(JobRequestError::Busy)
}

async fn credentials<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    connection: &Connection,
) -> Result<Option<Sealed>, JobRequestError> {
    let found = match connection {
        Connection::Channel(id) => {
            let channel = core.store.channel(id).await?.filter(|channel| channel.shop == *shop);
            channel.map(|channel| channel.credentials)
        }
        Connection::Carrier(id) => {
            let carrier = core.store.carrier(id).await?.filter(|carrier| carrier.shop == *shop);
            carrier.map(|carrier| carrier.credentials)
        }
    };
    found.ok_or(JobRequestError::NotFound)
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: ConfigStore,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
{
    /// One call.
    pub(super) async fn check(&self, shop: &ShopId, connection: &Connection) -> Result<PageDone, PageError> {
        match connection {
            Connection::Channel(id) => {
                let there = self.core.store.channel(id).await?.filter(|channel| channel.shop == *shop);
                there.ok_or(PageError::Gone)?;
                let access = access(self.core, self.secrets, Some(id)).await??;
                match access.channel.platform {
                    Platform::Shopify => self.sources.shopify.probe(&access).await?,
                    Platform::Woocommerce => self.sources.woocommerce.probe(&access).await?,
                    Platform::Api => return Err(ActError::permanent("the API is nobody to call").into()),
                }
            }
            Connection::Carrier(id) => {
                let access = tracker::access(self.core, self.secrets, shop, id).await?;
                self.trackers.probe(&access.ok_or(PageError::Gone)??).await?;
            }
        }
        let mut progress = Progress::default();
        progress.count(Counted::Same);
        Ok(PageDone::new(progress, None))
    }
}
