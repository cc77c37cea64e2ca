//! Who may ask for what: no key, a bad key, another shop's key, a key with a smaller role.

use serde_json::{Value, json};
use stagepost_app::config::{create_key, create_shop};
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_standins::OrderSpec;
use stagepost_tests::{Api, World};

use crate::support::call;

/// A route with a body that would be taken.
type Route = (&'static str, String, Option<Value>);

/// Every route that names something of the shop, with ids of things that are there.
fn routes_by_id(ids: &Named) -> Vec<Route> {
    let flow = json!({"name": "Taken over", "stages": [{"name": "New"}]});
    let template = json!({"name": "Taken over", "subject": "s", "text": "t"});
    let endpoint = json!({"name": "Taken over", "url": "https://elsewhere.example/"});
    let Named { order, run, package, channel, carrier, .. } = ids;
    let (flow_id, template_id, endpoint_id) = (&ids.flow, &ids.template, &ids.endpoint);
    let mut routes = vec![
        ("GET", format!("/v1/flows/{flow_id}"), None),
        ("PUT", format!("/v1/flows/{flow_id}"), Some(flow)),
        ("GET", format!("/v1/email-templates/{template_id}"), None),
        ("PUT", format!("/v1/email-templates/{template_id}"), Some(template)),
        ("GET", format!("/v1/webhook-endpoints/{endpoint_id}"), None),
        ("PUT", format!("/v1/webhook-endpoints/{endpoint_id}"), Some(endpoint)),
        ("POST", format!("/v1/webhook-endpoints/{endpoint_id}/rotate-secret"), None),
        ("GET", format!("/v1/channels/{channel}"), None),
        (
            "PATCH",
            format!("/v1/channels/{channel}"),
            Some(json!({"name": "Taken over", "credentials": null})),
        ),
        ("GET", format!("/v1/carriers/{carrier}"), None),
        (
            "PATCH",
            format!("/v1/carriers/{carrier}"),
            Some(json!({"name": "Taken over", "webhook_secret": "s"})),
        ),
        ("GET", format!("/v1/runs/{run}"), None),
        ("POST", format!("/v1/runs/{run}/retry"), Some(json!({"accept_duplicate": true}))),
    ];
    routes.extend([
        ("GET", format!("/v1/orders/{order}"), None),
        ("GET", format!("/v1/orders/{order}/timeline"), None),
        ("POST", format!("/v1/orders/{order}/move"), Some(json!({"stage": "Ready", "expected_seq": 2}))),
        ("POST", format!("/v1/orders/{order}/resume"), Some(json!({}))),
        ("POST", format!("/v1/orders/{order}/packages"), Some(json!({"number": "1Z"}))),
        ("DELETE", format!("/v1/orders/{order}/packages/{package}"), None),
    ]);
    routes
}

/// Routes that make or change something without naming an id.
fn writes_without_id() -> Vec<Route> {
    let channel =
        json!({"platform": "shopify", "name": "S", "store": "s.myshopify.com", "webhook_secret": "s"});
    let flow = json!({"name": "F", "stages": [{"name": "New"}]});
    let template = json!({"name": "T", "subject": "s", "text": "t"});
    vec![
        ("PATCH", "/v1/settings".to_owned(), Some(json!({"grace_seconds": 1}))),
        ("POST", "/v1/flows".to_owned(), Some(flow)),
        ("POST", "/v1/email-templates".to_owned(), Some(template)),
        ("POST", "/v1/webhook-endpoints".to_owned(), Some(json!({"name": "E", "url": "https://e.example/"}))),
        ("POST", "/v1/channels".to_owned(), Some(channel)),
        (
            "POST",
            "/v1/carriers".to_owned(),
            Some(json!({"kind": "easypost", "name": "C", "webhook_secret": "s"})),
        ),
        ("POST", "/v1/orders".to_owned(), Some(json!({"external_id": "x"}))),
    ]
}

const LISTS: [&str; 7] = [
    "/v1/flows",
    "/v1/email-templates",
    "/v1/webhook-endpoints",
    "/v1/channels",
    "/v1/carriers",
    "/v1/orders?untriaged=true",
    "/v1/quarantine",
];

/// Ids of things that are there, or that are nowhere.
struct Named {
    order: String,
    run: String,
    package: String,
    flow: String,
    template: String,
    endpoint: String,
    channel: String,
    carrier: String,
}

/// An order with a run and a package, and the configuration of the World.
async fn populated(world: &World) -> Named {
    let external = world.shopify.create_order(&OrderSpec::new("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let order = world.shopify_order(&external);
    let parcel = json!({"number": "1Z999"});
    let shown = world.api.post(&format!("/v1/orders/{order}/packages"), &parcel).await.ok();
    world.api.post("/v1/orders", &json!({"external_id": "untriaged"})).await.ok();
    Named {
        run: world.runs(&order).await[0]["id"].as_str().unwrap().to_owned(),
        package: shown["packages"][0]["id"].as_str().unwrap().to_owned(),
        flow: world.ids.flow.clone(),
        template: world.ids.template.clone(),
        endpoint: world.ids.endpoint.clone(),
        channel: world.ids.shopify.clone(),
        carrier: world.ids.carrier.clone(),
        order,
    }
}

fn nowhere() -> Named {
    let run = "run_gone.1.email.tmpl_gone.0".to_owned();
    let [order, package, flow, template, endpoint, channel, carrier] =
        ["ord_gone", "pkg_gone", "flow_gone", "tmpl_gone", "ep_gone", "chan_gone", "car_gone"]
            .map(str::to_owned);
    Named { order, run, package, flow, template, endpoint, channel, carrier }
}

async fn ask(api: &Api, (method, path, body): &Route) -> (u16, Value) {
    let answer = api.send(method, path, body.as_ref().map(|b| b.to_string().into_bytes())).await;
    (answer.status, answer.body)
}

/// Everything that the shop can see of itself.
async fn everything(world: &World, ids: &Named) -> Vec<Value> {
    let mut all = vec![world.order(&ids.order).await, json!(world.timeline(&ids.order).await)];
    all.push(world.api.get("/v1/settings").await.ok());
    for list in LISTS {
        all.push(world.api.get(list).await.ok());
    }
    all
}

#[tokio::test]
async fn another_shops_key_finds_nothing_on_any_route() {
    let world = World::start().await;
    let ids = populated(&world).await;
    let other = ShopId::parse("shop_other").unwrap();
    let key = create_shop(world.host.core(), &other, "Other", "hello@other.example").await.unwrap();
    let stranger = world.api.with_key(&key);
    let before = everything(&world, &ids).await;
    for (there, gone) in routes_by_id(&ids).iter().zip(&routes_by_id(&nowhere())) {
        let (status, body) = ask(&stranger, there).await;
        assert_eq!(status, 404, "{} {}: {body}", there.0, there.1);
        assert_eq!(
            (status, body),
            ask(&stranger, gone).await,
            "{} {}: tells that it is there",
            there.0,
            there.1
        );
    }
    for list in LISTS {
        assert_eq!(stranger.get(list).await.ok()["items"], json!([]), "{list}");
    }
    assert_eq!(stranger.get("/v1/settings").await.ok()["shop"], "shop_other");
    refers_to_nothing_of(&stranger, &ids).await;
    assert_eq!(everything(&world, &ids).await, before, "a stranger changed something");
}

/// Nothing of another shop can be named in what a shop writes.
async fn refers_to_nothing_of(stranger: &Api, ids: &Named) {
    let stage =
        |automations: Value| json!({"name": "F", "stages": [{"name": "New", "automations": automations}]});
    let channel = json!({"platform": "shopify", "name": "S", "store": "s.myshopify.com", "webhook_secret": "s",
        "default_flow": ids.flow});
    for (path, body, field) in [
        (
            "/v1/flows",
            stage(json!({"email": {"enabled": true, "template": ids.template}})),
            "stages[0].automations.email.template",
        ),
        (
            "/v1/flows",
            stage(json!({"webhook": {"enabled": true, "endpoint": ids.endpoint}})),
            "stages[0].automations.webhook.endpoint",
        ),
        ("/v1/channels", channel, "default_flow"),
        ("/v1/orders", json!({"external_id": "x", "flow": ids.flow}), "flow"),
    ] {
        let answer = stranger.post(path, &body).await;
        assert_eq!(
            (answer.status, &answer.body["errors"][0]["field"]),
            (422, &json!(field)),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn one_external_id_in_two_shops_is_two_orders() {
    let world = World::start().await;
    let other = ShopId::parse("shop_other").unwrap();
    let key = create_shop(world.host.core(), &other, "Other", "hello@other.example").await.unwrap();
    let stranger = world.api.with_key(&key);
    let order = json!({"external_id": "same", "customer": {"name": "Mine"}});
    let mine = world.api.post("/v1/orders", &order).await.ok();
    let theirs = stranger
        .post("/v1/orders", &json!({"external_id": "same", "customer": {"name": "Theirs"}}))
        .await
        .ok();
    assert_ne!(mine["id"], theirs["id"]);
    let read = world.order(mine["id"].as_str().unwrap()).await;
    assert_eq!(read["details"]["customer"]["name"], "Mine");
    // The same store in both shops: a notification reaches the shop of its channel only.
    let theirs = json!({"platform": "shopify", "name": "S", "store": "paper-boat.myshopify.com", "webhook_secret": "s"});
    stranger.post("/v1/channels", &theirs).await.ok();
    let external = world.shopify.create_order(&OrderSpec::new("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    assert_eq!(world.stage(&id).await, "New");
    assert_eq!(stranger.get(&format!("/v1/orders/{id}")).await.status, 404);
}

#[tokio::test]
async fn each_role_does_what_it_may_and_nothing_above() {
    let world = World::start().await;
    let ids = populated(&world).await;
    let mut keys = Vec::new();
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        let made = create_key(world.host.core(), &world.shop, "key", role).await.unwrap();
        keys.push((role, world.api.with_key(&made.1)));
    }
    let before = everything(&world, &ids).await;
    let [viewer, member, admin] = [&keys[0].1, &keys[1].1, &keys[2].1];
    let mut routes = routes_by_id(&ids);
    routes.extend(writes_without_id());
    for route in &routes {
        let (status, body) = ask(viewer, route).await;
        let read = route.0 == "GET";
        assert_eq!(status, if read { 200 } else { 403 }, "viewer: {} {}: {body}", route.0, route.1);
        if !read {
            assert_eq!(body["type"], "/problems/forbidden");
        }
    }
    let configures = |(method, path, _): &&Route| {
        *method != "GET" && !path.starts_with("/v1/orders") && !path.starts_with("/v1/runs")
    };
    for route in routes.iter().filter(configures) {
        assert_eq!(ask(member, route).await.0, 403, "member: {} {}", route.0, route.1);
    }
    assert_eq!(viewer.get("/v1/quarantine").await.status, 403, "it holds people's data");
    assert_eq!(everything(&world, &ids).await, before, "a refused write changed something");
    let made = json!({"external_id": "by a member"});
    assert_eq!(member.post("/v1/orders", &made).await.status, 201);
    let template = json!({"name": "By an admin", "subject": "s", "text": "t"});
    assert_eq!(admin.post("/v1/email-templates", &template).await.status, 201);
}

#[tokio::test]
async fn without_a_valid_key_every_route_is_closed() {
    let world = World::start().await;
    let ids = populated(&world).await;
    let owner = create_key(world.host.core(), &world.shop, "key", Role::Owner).await.unwrap().1;
    let values = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer sp_nobody".to_owned()),
        Some(format!("Bearer {}", owner.to_uppercase())),
        Some(format!("Bearer {owner}x")),
        Some(format!("Bearer {}", &owner[..owner.len() - 1])),
        Some(format!("Bearer {}", "s".repeat(5_000))),
        Some(format!("Basic {owner}")),
        Some(owner.clone()),
    ];
    for value in &values {
        let headers: Vec<(&str, &str)> = value.iter().map(|v| ("authorization", v.as_str())).collect();
        let answer = call(&world, "GET", "/v1/settings", &headers, None).await;
        answer.problem(401, &format!("{value:?}"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let mut routes = routes_by_id(&ids);
    routes.extend(writes_without_id());
    routes.extend(LISTS.map(|list| ("GET", list.to_owned(), None)));
    let before = everything(&world, &ids).await;
    for (method, path, body) in &routes {
        let body = body.as_ref().map(|b| b.to_string().into_bytes());
        call(&world, method, path, &[("authorization", "Bearer sp_nobody")], body).await.problem(401, path);
    }
    assert_eq!(everything(&world, &ids).await, before);
    let good = format!("Bearer {owner}");
    assert_eq!(call(&world, "GET", "/v1/settings", &[("authorization", &good)], None).await.status, 200);
}
