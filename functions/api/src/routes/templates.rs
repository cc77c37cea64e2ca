//! E-mail templates.

use stagepost_app::config::{self, Removal, TemplateInput};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::TemplateId;
use stagepost_domain::template::EmailTemplate;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found, Gone, List, Made};
use crate::caller::{Admin, Caller};
use crate::payload::{Named, Payload};
use crate::view::TemplateLine;

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<List<TemplateLine>>> {
    let templates = api.core.store.templates(caller.shop()).await?;
    Ok(List::whole(templates.into_iter().map(TemplateLine::from)))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<TemplateId>,
) -> Answer<Found<EmailTemplate>> {
    let template = api.core.store.template(caller.shop(), &id, None).await?;
    Ok(Found(template.ok_or_else(|| Problem::not_found("e-mail template"))?))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<TemplateInput>,
) -> Answer<Made<EmailTemplate>> {
    Ok(Made(config::put_template(&api.core, caller.shop(), None, &input).await?))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<TemplateId>,
    Payload(input): Payload<TemplateInput>,
) -> Answer<Found<EmailTemplate>> {
    Ok(Found(config::put_template(&api.core, caller.shop(), Some(&id), &input).await?))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<TemplateId>,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Template(&id), None).await?;
    Ok(Gone)
}
