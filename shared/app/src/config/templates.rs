//! E-mail templates.

use serde::Deserialize;
use stagepost_domain::id::{ShopId, TemplateId};
use stagepost_domain::template::EmailTemplate;

use super::{ConfigError, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore};

/// A template as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TemplateInput {
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// Subject line.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 300)))]
    pub subject: String,
    /// HTML part.
    #[cfg_attr(feature = "schema", schemars(length(max = 100_000)))]
    pub html: Option<String>,
    /// Plain part.
    #[cfg_attr(feature = "schema", schemars(length(max = 100_000)))]
    pub text: Option<String>,
}

/// Makes a template, or a new version of the one given, if the newest is still `expected`. A new one whose id
/// is there already was made by an earlier try of the same call.
///
/// # Errors
/// The template does not parse or uses what a mail would not have; the field, line and variable are named.
/// Or somebody else edited it meanwhile.
pub async fn put_template<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: Option<&TemplateId>,
    input: &TemplateInput,
    expected: Option<u64>,
) -> Result<EmailTemplate, ConfigError> {
    let fresh = TemplateId::from_body(&core.entropy.id_body())?;
    let the_one = id.unwrap_or(&fresh);
    let mut tried: Option<EmailTemplate> = None;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let there = settings.templates.get(the_one).copied();
        match there {
            Some(_) => {
                let there = core.store.template(shop, the_one, there).await?.ok_or(ConfigError::Busy)?;
                if id.is_none() || is_written(tried.as_ref(), &there, |template| template.version, expected)?
                {
                    return Ok(there);
                }
            }
            None if id.is_some() => return Err(ConfigError::NotFound),
            None => refuse_above("email_templates", settings.templates.len())?,
        }
        let version = there.unwrap_or(0) + 1;
        let template = EmailTemplate {
            id: the_one.clone(),
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
        tried = Some(template);
    }
    Err(ConfigError::Busy)
}
