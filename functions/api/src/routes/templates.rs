//! E-mail templates.

use stagepost_app::config::{self, Removal, TemplateInput};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::TemplateId;
use stagepost_domain::template::EmailTemplate;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller};
use crate::payload::{IfMatch, Named, Payload};
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
) -> Answer<Current<EmailTemplate>> {
    let template = api.core.store.template(caller.shop(), &id, None).await?;
    Ok(Current(template.ok_or_else(|| Problem::not_found("e-mail template"))?))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<TemplateInput>,
) -> Answer<MadeCurrent<EmailTemplate>> {
    Ok(MadeCurrent(config::put_template(&api.core, caller.shop(), None, &input, None).await?))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<TemplateId>,
    IfMatch(expected): IfMatch,
    Payload(input): Payload<TemplateInput>,
) -> Answer<Current<EmailTemplate>> {
    Ok(Current(config::put_template(&api.core, caller.shop(), Some(&id), &input, expected).await?))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<TemplateId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Template(&id), expected).await?;
    Ok(Gone)
}
