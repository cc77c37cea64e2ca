//! Notifications: e-mail templates, how mails leave, and addresses that get none.

mod editor;
mod list;
mod preview;
mod sending;
mod suppressed;
mod trial;
mod variables;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use stagepost_app::ports::Secrets;
use stagepost_domain::id::TemplateId;

use super::Routes;
use crate::Stores;
use crate::answer::to;
use crate::error::Failed;
use crate::names::Use;
use crate::shell::Area;
use crate::visitor::Visitor;

/// Where templates are.
const TEMPLATES: &str = "/settings/notifications/templates";
/// Where a new one is made.
const NEW: &str = "/settings/notifications/new";
/// How mails leave.
const SENDING: &str = "/settings/notifications/sending";
/// Addresses that get none.
const SUPPRESSED: &str = "/settings/notifications/suppressed";

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route(Area::Notifications.path(), get(list::show::<S, K>))
        .route(NEW, get(editor::begin::<S, K>).post(editor::create::<S, K>))
        .route("/settings/notifications/preview", get(back).post(editor::preview::<S, K>))
        .route(
            "/settings/notifications/templates/{id}",
            get(editor::show::<S, K>).post(editor::update::<S, K>),
        )
        .route(
            "/settings/notifications/templates/{id}/delete",
            get(editor::confirm_delete::<S, K>).post(editor::delete::<S, K>),
        )
        .route(
            "/settings/notifications/templates/{id}/test",
            get(trial::ask::<S, K>).post(trial::send::<S, K>),
        )
        .route("/settings/notifications/tests/{id}", get(trial::show::<S, K>))
        .route(SENDING, get(sending::show::<S, K>).post(sending::save::<S, K>))
        .route(SUPPRESSED, get(suppressed::list::<S, K>).post(suppressed::add::<S, K>))
        .route(
            "/settings/notifications/suppressed/{id}/remove",
            get(suppressed::confirm::<S, K>).post(suppressed::remove::<S, K>),
        )
}

/// The address of a preview leads to the templates: which one it was of stands in its form alone.
async fn back(_: Visitor) -> Response {
    to(Area::Notifications.path())
}

/// A template's id, as a path names it.
fn template_id(id: &str) -> Result<TemplateId, Failed> {
    super::id(TemplateId::parse(id), "template")
}

/// The stages that mail a template, switched on or not.
fn uses(flows: &[stagepost_domain::flow::Flow], id: &TemplateId) -> Vec<Use> {
    Use::all(flows, |stage| {
        let mail = stage.automations.email.as_ref().filter(|mail| mail.template == *id);
        mail.map(|mail| mail.enabled)
    })
}

/// What the part is called that something is wrong with.
pub fn part_name(wrong: &stagepost_domain::text::Invalid) -> &str {
    let called = preview::FIELDS.iter().find(|(name, _, _)| *name == wrong.field);
    called.map_or(wrong.field.as_str(), |(_, label, _)| label)
}
