//! The jobs that a shop has for as long as its settings ask for them.

use stagepost_domain::id::ShopId;
use stagepost_domain::job::Job;
use stagepost_domain::shop::Settings;

use super::audit::audit_of;
use super::retain::retention_of;
use crate::Core;
use crate::config::{ConfigError, SettingsInput, update_settings};
use crate::ports::{CommitError, ConfigStore, JobStore};

/// Changes what a shop says of itself, if its configuration still has the version `expected`, and has the jobs there
/// that this asks for. Said again it makes up for what an earlier call could not make.
///
/// # Errors
/// A field is not valid, or the store failed.
pub async fn save_settings<S: ConfigStore + JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    input: &SettingsInput,
    expected: Option<u64>,
) -> Result<Settings, ConfigError> {
    let settings = update_settings(core, shop, input, expected).await?;
    keep_up(core, &settings).await?;
    Ok(settings)
}

/// Makes the jobs that a shop's settings ask for and that are not there: the audit of a shop that was made before there
/// were audits, and retention where something is kept shorter than it would be by itself.
///
/// # Errors
/// The store failed.
pub async fn keep_up<S: JobStore>(core: &Core<S>, settings: &Settings) -> Result<(), ConfigError> {
    let (shop, now) = (&settings.shop, core.now());
    open(core, audit_of(shop, now)?).await?;
    if settings.retention.erases() {
        open(core, retention_of(shop, now)?).await?;
    }
    Ok(())
}

async fn open<S: JobStore>(core: &Core<S>, wanted: Job) -> Result<(), ConfigError> {
    let written = match core.store.job(&wanted.shop, &wanted.id).await? {
        None => core.store.create_job(&wanted).await,
        // Retention was off for a while.
        Some(there) if there.ended() => match there.renewed(core.now()) {
            Ok(renewed) => core.store.update_job(&renewed).await,
            Err(_) => Ok(()),
        },
        Some(_) => Ok(()),
    };
    match written {
        // Somebody else was faster.
        Ok(()) | Err(CommitError::LostRace | CommitError::Conflict) => Ok(()),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
