//! A template: made, seen while it is written, saved, taken away.

use askama::Template;
use axum::extract::Path;
use http::{HeaderMap, StatusCode};
use stagepost_app::config::{ConfigError, Removal, TemplateInput, put_template, remove};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::TemplateId;
use stagepost_domain::template::EmailTemplate;
use stagepost_domain::template::starters::{self, Starter};

use super::preview::{Looked, Part, Seen, joined, look};
use super::variables::{self, Group};
use super::{NEW, TEMPLATES, template_id, uses};
use crate::answer::{Answer, from_script, page, page_as, to_say, with_mail};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::names::Use;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::Confirm;
use crate::visitor::{Admin, Member, Visit, Visitor};
use crate::{Console, Stores};

/// What the fields of the editor say.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The template's name.
    pub name: String,
    /// Its subject line.
    pub subject: String,
    /// Its HTML part.
    pub html: String,
    /// Its plain part.
    pub text: String,
    /// The order that it is seen with.
    pub order: String,
    /// The version that it was begun with; 0 for a new one.
    pub version: u64,
    /// How the mail is looked at.
    pub view: String,
    /// Whether it came with a form: as it is, it is saved nowhere.
    pub entered: bool,
}

impl Draft {
    fn of(fields: &Fields) -> Self {
        let lines = |name: &str| fields.raw(name).replace("\r\n", "\n");
        Self {
            name: fields.text("name").to_owned(),
            subject: fields.text("subject").to_owned(),
            html: lines("html"),
            text: lines("text"),
            order: fields.text("order").to_owned(),
            version: fields.version().unwrap_or_default(),
            view: fields.text("view").to_owned(),
            entered: true,
        }
    }

    fn of_template(template: &EmailTemplate, fields: &Fields) -> Self {
        Self {
            name: template.name.clone(),
            subject: template.subject.clone(),
            html: template.html.clone().unwrap_or_default(),
            text: template.text.clone().unwrap_or_default(),
            order: fields.text("order").to_owned(),
            version: template.version,
            view: fields.text("view").to_owned(),
            entered: false,
        }
    }

    fn of_starter(starter: Option<Starter>) -> Self {
        let Some(Starter { name, subject, html, text, .. }) = starter else { return Self::default() };
        Self { name: name.to_owned(), subject, html, text, ..Self::default() }
    }

    /// The HTML part, if there is one.
    pub fn html(&self) -> Option<String> {
        Some(self.html.clone()).filter(|html| !html.trim().is_empty())
    }

    /// The plain part, if there is one.
    pub fn text(&self) -> Option<String> {
        Some(self.text.clone()).filter(|text| !text.trim().is_empty())
    }

    fn input(&self) -> TemplateInput {
        let (name, subject) = (self.name.clone(), self.subject.clone());
        TemplateInput { name, subject, html: self.html(), text: self.text() }
    }

    fn is(&self, view: &str) -> bool {
        self.view == view
    }
}

/// Where the editor stands.
struct Standing<'a> {
    /// The template that is edited.
    id: Option<&'a TemplateId>,
    /// When it was saved last.
    saved: Option<Moment>,
    /// What is wrong with the fields.
    wrong: Wrong,
    /// What somebody else has saved meanwhile.
    theirs: Option<EmailTemplate>,
}

impl<'a> Standing<'a> {
    fn of(id: Option<&'a TemplateId>) -> Self {
        Self { id, saved: None, wrong: Wrong::default(), theirs: None }
    }
}

#[derive(Template)]
#[template(path = "notifications/editor.html")]
struct EditorPage<'a> {
    shell: Shell,
    id: Option<&'a TemplateId>,
    action: String,
    draft: &'a Draft,
    wrong: Wrong,
    theirs: Option<EmailTemplate>,
    saved: Option<Moment>,
    /// Whether the fields say what was entered and is not saved.
    unsaved: bool,
    uses: Vec<Use>,
    seen: Seen,
    orders: Vec<(String, String)>,
    variables: Vec<Group>,
}

async fn editor<S: Stores, K: Secrets>(
    console: &Console<S, K>,
    visit: &Visit,
    draft: &Draft,
    standing: Standing<'_>,
    status: StatusCode,
) -> Answer {
    let Standing { id, saved, wrong, theirs } = standing;
    let Looked { seen, orders } = look(console, visit, draft, id).await?;
    let flows = console.flows(visit).await?;
    // What the preview refuses it refuses at the field, saved or not.
    let wrong = match &seen {
        Seen::Nothing(refused) if !wrong.any() && !draft.subject.is_empty() => refused.clone(),
        _ => wrong,
    };
    let shown = page_as(
        status,
        &EditorPage {
            shell: visit.shell(Area::Notifications),
            id,
            action: id.map_or_else(|| NEW.to_owned(), |id| format!("{TEMPLATES}/{id}")),
            draft,
            wrong,
            unsaved: draft.entered,
            theirs,
            saved,
            uses: id.map(|id| uses(&flows, id)).unwrap_or_default(),
            seen,
            orders,
            variables: variables::all(),
        },
    );
    Ok(with_mail(shown?))
}

#[derive(Template)]
#[template(path = "notifications/begin.html")]
struct BeginPage {
    shell: Shell,
    starters: Vec<Starter>,
}

pub async fn begin<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let starters = starters::all();
    let Some(key) = fields.some("starter") else {
        return page(&BeginPage { shell: visitor.shell(Area::Notifications), starters });
    };
    let draft = Draft::of_starter(starters.into_iter().find(|starter| starter.key == key));
    editor(&console, &visitor, &draft, Standing::of(None), StatusCode::OK).await
}

async fn there<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &TemplateId,
) -> Result<EmailTemplate, Failed> {
    let found = console.core.store.template(&visit.shop, id, None).await?;
    Ok(found.ok_or_else(|| Trouble::not_found("template"))?)
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = template_id(&id)?;
    let template = there(&console, &visitor, &id).await?;
    let draft = Draft::of_template(&template, &fields);
    let saved = Some(Moment::new(template.saved_at, visitor.now));
    let standing = Standing { saved, ..Standing::of(Some(&id)) };
    editor(&console, &visitor, &draft, standing, StatusCode::OK).await
}

pub async fn preview<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let draft = Draft::of(&fields);
    let id = fields.some("template").map(template_id).transpose()?;
    if from_script(&headers) {
        let Looked { seen, .. } = look(&console, &visitor, &draft, id.as_ref()).await?;
        return page(&Part::new(seen));
    }
    editor(&console, &visitor, &draft, Standing::of(id.as_ref()), StatusCode::OK).await
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    save(&console, &visitor, None, &Draft::of(&fields)).await
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    save(&console, &visitor, Some(&template_id(&id)?), &Draft::of(&fields)).await
}

async fn save<S: Stores, K: Secrets + 'static>(
    console: &State<S, K>,
    visitor: &Visitor<Admin>,
    id: Option<&TemplateId>,
    draft: &Draft,
) -> Answer {
    let expected = id.map(|_| draft.version);
    match put_template(&console.core, &visitor.shop, id, &draft.input(), expected).await {
        Ok(template) => {
            let text = match id {
                None => "Saved. A stage mails it once it names it: Settings, Order Flows.".to_owned(),
                Some(_) => format!(
                    "Saved as version {}. Mails that are decided from now on say this; those on their way keep \
                     theirs.",
                    template.version
                ),
            };
            to_say(&format!("{TEMPLATES}/{}", template.id), Flash::done(text))
        }
        Err(ConfigError::Invalid(wrong)) => {
            let standing = Standing { wrong: joined(wrong), ..Standing::of(id) };
            editor(console, visitor, draft, standing, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {
            let Some(id) = id else { return Err(ConfigError::Conflict.into()) };
            let theirs = there(console, visitor, id).await?;
            let draft = Draft { version: theirs.version, ..draft.clone() };
            let saved = Some(Moment::new(theirs.saved_at, visitor.now));
            let standing = Standing { saved, theirs: Some(theirs), ..Standing::of(Some(id)) };
            editor(console, visitor, &draft, standing, StatusCode::CONFLICT).await
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn confirm_delete<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let id = template_id(&id)?;
    let (template, flows) = tokio::join!(there(&console, &visitor, &id), console.flows(&visitor));
    let (template, flows) = (template?, flows?);
    let used: Vec<String> = uses(&flows, &id).iter().map(Use::told).collect();
    if !used.is_empty() {
        return Err(ConfigError::InUse(used).into());
    }
    page(&Confirm {
        shell: visitor.shell(Area::Notifications),
        title: format!("Delete the template \u{201c}{}\u{201d}?", template.name),
        what: vec![
            "No stage uses it.".to_owned(),
            "Mails that are on their way already keep the version that they were decided with.".to_owned(),
            "It cannot be brought back.".to_owned(),
        ],
        action: format!("{TEMPLATES}/{id}/delete"),
        fields: vec![("version".to_owned(), template.version.to_string())],
        verb: "Delete template".to_owned(),
        danger: true,
        back: format!("{TEMPLATES}/{id}"),
    })
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = template_id(&id)?;
    let seen = fields.version();
    remove(&console.core, &visitor.shop, Removal::Template(&id), seen).await?;
    to_say(Area::Notifications.path(), Flash::done("The template is deleted."))
}
