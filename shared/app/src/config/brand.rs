//! How a shop looks to its customers.

use serde::Deserialize;
use stagepost_domain::brand::{Brand, Color, Logo};
use stagepost_domain::id::ShopId;

use super::{ConfigError, edited, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore};

/// A brand as somebody writes it; what is left out stays, null takes it away.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BrandInput {
    /// `#rrggbb`, for lines and marks of the tracking page.
    #[serde(default, deserialize_with = "super::secrets::said")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", regex(pattern = "^#[0-9A-Fa-f]{6}$")))]
    pub color: Option<Option<String>>,
    /// A PNG, JPEG, WebP or GIF of at most 10 KB, in base64 or as a `data:` URL.
    #[serde(default, deserialize_with = "super::secrets::said")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", length(max = 14_000)))]
    pub logo: Option<Option<String>>,
}

/// Changes how a shop looks.
///
/// # Errors
/// A field is not valid, or the store failed.
pub async fn update_brand<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    input: &BrandInput,
) -> Result<Brand, ConfigError> {
    let color =
        input.color.as_ref().map(|color| color.as_deref().map(Color::parse).transpose()).transpose()?;
    let logo = input.logo.as_ref().map(|logo| logo.as_deref().map(Logo::parse).transpose()).transpose()?;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let was = core.store.brand(shop).await?;
        let brand =
            Brand { color: color.clone().unwrap_or(was.color), logo: logo.clone().unwrap_or(was.logo) };
        if saved(core, ConfigChange::Brand(brand.clone()), &settings).await? {
            return Ok(brand);
        }
    }
    Err(ConfigError::Busy)
}
