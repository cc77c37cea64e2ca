//! Settings, flows, templates, endpoints, channels, carriers.

use serde_json::json;
use stagepost_app::config::{
    self, CarrierInput, CarrierPatch, ChannelInput, ChannelPatch, EndpointInput, FlowInput, SettingsInput,
    TemplateInput,
};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::{CarrierId, ChannelId, EndpointId, FlowId, TemplateId};
use stagepost_domain::shop::Role;
use stagepost_lambda::http::Problem;

use super::{Answer, State, created, list, ok};
use crate::caller::Caller;
use crate::payload::{Named, Payload};
use crate::{Stores, view};

pub async fn settings<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    let settings = api.core.store.settings(caller.shop()).await?;
    let settings = settings.ok_or_else(|| Problem::not_found("shop"))?;
    ok(settings_view(&settings))
}

fn settings_view(s: &stagepost_domain::shop::Settings) -> serde_json::Value {
    json!({
        "shop": s.shop,
        "name": s.name,
        "from_email": s.from_email,
        "grace_seconds": s.grace_seconds,
        "config_version": s.config_version,
    })
}

pub async fn update_settings<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<SettingsInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    ok(settings_view(&config::update_settings(&api.core, caller.shop(), &input).await?))
}

pub async fn flows<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    let flows = api.core.store.flows(caller.shop()).await?;
    list(flows.iter().map(|f| json!(f)).collect(), None)
}

pub async fn flow<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let id = FlowId::parse(&id).map_err(|_| Problem::not_found("flow"))?;
    let flow = api.core.store.flow(caller.shop(), &id).await?;
    ok(json!(flow.ok_or_else(|| Problem::not_found("flow"))?))
}

pub async fn create_flow<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<FlowInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    created(json!(config::put_flow(&api.core, caller.shop(), None, &input).await?))
}

pub async fn update_flow<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(input): Payload<FlowInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let id = FlowId::parse(&id).map_err(|_| Problem::not_found("flow"))?;
    ok(json!(config::put_flow(&api.core, caller.shop(), Some(&id), &input).await?))
}

pub async fn templates<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    let templates = api.core.store.templates(caller.shop()).await?;
    list(templates.iter().map(view::template_line).collect(), None)
}

pub async fn template<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let id = TemplateId::parse(&id).map_err(|_| Problem::not_found("e-mail template"))?;
    let template = api.core.store.template(caller.shop(), &id, None).await?;
    ok(json!(template.ok_or_else(|| Problem::not_found("e-mail template"))?))
}

pub async fn create_template<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<TemplateInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    created(json!(config::put_template(&api.core, caller.shop(), None, &input).await?))
}

pub async fn update_template<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(input): Payload<TemplateInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let id = TemplateId::parse(&id).map_err(|_| Problem::not_found("e-mail template"))?;
    ok(json!(config::put_template(&api.core, caller.shop(), Some(&id), &input).await?))
}

pub async fn endpoints<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    let endpoints = api.core.store.endpoints(caller.shop()).await?;
    list(endpoints.iter().map(|e| view::endpoint(e, None)).collect(), None)
}

pub async fn endpoint<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let id = EndpointId::parse(&id).map_err(|_| Problem::not_found("webhook endpoint"))?;
    let endpoint = api.core.store.endpoint(caller.shop(), &id).await?;
    ok(view::endpoint(&endpoint.ok_or_else(|| Problem::not_found("webhook endpoint"))?, None))
}

pub async fn create_endpoint<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<EndpointInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let put = config::put_endpoint(&api.core, &api.secrets, caller.shop(), None, &input, api.check_url);
    let (endpoint, secret) = put.await?;
    created(view::endpoint(&endpoint, secret.as_deref()))
}

pub async fn update_endpoint<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(input): Payload<EndpointInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let id = EndpointId::parse(&id).map_err(|_| Problem::not_found("webhook endpoint"))?;
    let put = config::put_endpoint(&api.core, &api.secrets, caller.shop(), Some(&id), &input, api.check_url);
    ok(view::endpoint(&put.await?.0, None))
}

pub async fn channels<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    let channels = api.core.store.channels(caller.shop()).await?;
    list(channels.iter().map(view::channel).collect(), None)
}

pub async fn channel<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let id = ChannelId::parse(&id).map_err(|_| Problem::not_found("channel"))?;
    let channel = api.core.store.channel(&id).await?.filter(|c| c.shop == *caller.shop());
    ok(view::channel(&channel.ok_or_else(|| Problem::not_found("channel"))?))
}

pub async fn create_channel<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<ChannelInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let create = config::create_channel(&api.core, &api.secrets, caller.shop(), &input, api.check_url);
    created(view::channel(&create.await?))
}

pub async fn update_channel<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(patch): Payload<ChannelPatch>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let id = ChannelId::parse(&id).map_err(|_| Problem::not_found("channel"))?;
    ok(view::channel(&config::update_channel(&api.core, &api.secrets, caller.shop(), &id, &patch).await?))
}

pub async fn carrier<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let id = CarrierId::parse(&id).map_err(|_| Problem::not_found("carrier"))?;
    let carrier = api.core.store.carrier(&id).await?.filter(|c| c.shop == *caller.shop());
    ok(view::carrier(&carrier.ok_or_else(|| Problem::not_found("carrier"))?))
}

pub async fn update_carrier<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(patch): Payload<CarrierPatch>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let id = CarrierId::parse(&id).map_err(|_| Problem::not_found("carrier"))?;
    ok(view::carrier(&config::update_carrier(&api.core, &api.secrets, caller.shop(), &id, &patch).await?))
}

pub async fn carriers<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    let carriers = api.core.store.carriers(caller.shop()).await?;
    list(carriers.iter().map(view::carrier).collect(), None)
}

pub async fn create_carrier<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Payload(input): Payload<CarrierInput>,
) -> Answer {
    caller.at_least(Role::Admin)?;
    let create = config::create_carrier(&api.core, &api.secrets, caller.shop(), &input);
    created(view::carrier(&create.await?))
}
