//! E-mail templates.

use serde::Deserialize;
use stagepost_domain::id::{ShopId, TemplateId};
use stagepost_domain::template::EmailTemplate;

use super::{ConfigError, edited, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore};

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
    let fresh = TemplateId::from_body(&core.entropy.id_body())?;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let (id, version) = match id {
            Some(id) => (id.clone(), *settings.templates.get(id).ok_or(ConfigError::NotFound)? + 1),
            // By our own write, whose answer was lost.
            None if settings.templates.contains_key(&fresh) => {
                let made = core.store.template(shop, &fresh, None).await?;
                return made.ok_or(ConfigError::Busy);
            }
            None => {
                refuse_above("email_templates", settings.templates.len())?;
                (fresh.clone(), 1)
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
