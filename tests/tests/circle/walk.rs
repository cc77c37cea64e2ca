//! Every operation of the API's own document, walked with keys that may not do it (law 20). A route that is added
//! is walked without anybody thinking of it; one with a body needs a good one in [`bodies`].

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stagepost_app::config::{create_key, create_shop};
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_standins::OrderSpec;
use stagepost_tests::{Api, Reply, SHOPIFY_SECRET, World, flow};

use crate::support::{outcome, quarantine, shopify};

/// What nobody else may see: people, parcels, the far end, names.
const PRIVATE: [&str; 6] =
    ["Ada Lovelace", "ada@example.com", "1Z999", "paper-boat.myshopify.com", "Paper boats", "Paper Boat"];

struct Operation {
    id: String,
    method: String,
    path: String,
    about: Value,
}

impl Operation {
    fn role(&self) -> Option<Role> {
        let description = self.about["description"].as_str().unwrap();
        let role = description.split("Role: ").nth(1)?.split(' ').next()?;
        Some(serde_json::from_value(json!(role)).unwrap())
    }

    fn names_something(&self) -> bool {
        self.path.contains('{')
    }
}

async fn operations(world: &World) -> Vec<Operation> {
    let document = world.api.get("/v1/openapi.json").await.ok();
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            let id = about["operationId"].as_str().unwrap().to_owned();
            all.push(Operation {
                id,
                method: method.to_uppercase(),
                path: path.clone(),
                about: about.clone(),
            });
        }
    }
    assert!(all.len() > 30, "that is not the whole API");
    all
}

/// Something of every kind that a path can name: `{resource}/{placeholder}` and its id.
struct Known {
    ids: BTreeMap<&'static str, String>,
    stage: String,
}

async fn populated(world: &World) -> Known {
    let external = world.shopify.create_order(&OrderSpec::new("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let order = world.shopify_order(&external);
    let parcel = json!({"number": "1Z999"});
    let shown = world.api.post(&format!("/v1/orders/{order}/packages"), &parcel).await.ok();
    let unread = shopify(SHOPIFY_SECRET, "orders/create", b"Ada Lovelace, ada@example.com");
    assert_eq!(outcome(&world.courier.shopify(&world.ids.shopify, &unread).await.unwrap()), "quarantined");
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let aside = json!({"address": "ada@example.com"});
    let aside = world.api.post("/v1/suppressions", &aside).await.ok();
    let test = format!("/v1/email-templates/{}/test", world.ids.template);
    let own = world.api.get("/v1/settings").await.ok()["from_email"].clone();
    let test = world.api.post(&test, &json!({"to": own, "order": order})).await.ok();
    let member = json!({"email": "ada@example.com", "name": "Ada Lovelace", "role": "member"});
    let member = world.api.post("/v1/members", &member).await.ok();
    world.settle().await;
    let first = async |path: &str| text(&world.api.get(path).await.ok()["items"][0]["id"]);
    let ids = BTreeMap::from([
        ("orders/package", text(&shown["packages"][0]["id"])),
        ("suppressions/id", text(&aside["id"])),
        ("email-tests/id", text(&test["id"])),
        ("members/id", text(&member["id"])),
        ("orders/id", order.clone()),
        ("quarantine/id", text(&quarantine(world).await[0]["id"])),
        ("runs/id", text(&world.runs(&order).await[0]["id"])),
        // Not the audit: each shop has one of that name.
        ("jobs/id", world.ids.shopify.replace("chan_", "job_")),
        ("api-keys/id", first("/v1/api-keys").await),
        ("flows/id", world.ids.flow.clone()),
        ("email-templates/id", world.ids.template.clone()),
        ("webhook-endpoints/id", world.ids.endpoint.clone()),
        ("channels/id", world.ids.shopify.clone()),
        ("carriers/id", world.ids.carrier.clone()),
    ]);
    Known { ids, stage: text(&shown["stage"]["id"]) }
}

impl Known {
    fn path(&self, operation: &Operation) -> String {
        let resource = operation.path.split('/').nth(2).unwrap();
        let part = |part: &str| match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
            None => part.to_owned(),
            Some(name) => {
                let kind = format!("{resource}/{name}");
                let id = self.ids.get(kind.as_str());
                id.unwrap_or_else(|| panic!("{}: make one of {kind} in populated()", operation.id)).clone()
            }
        };
        let path: Vec<_> = operation.path.split('/').map(part).collect();
        let query = match operation.id.as_str() {
            "listOrders" => format!("?stage={}", self.stage),
            _ => String::new(),
        };
        path.join("/") + &query
    }

    /// Bodies that would be taken of the shop that all these ids are of.
    fn body(&self, operation: &Operation) -> Option<Value> {
        operation.about.get("requestBody")?;
        let id = |kind: &str| self.ids[kind].clone();
        let template = json!({"name": "T", "subject": "s", "text": "t"});
        let channel = json!({
            "platform": "shopify", "name": "S", "store": "s.myshopify.com", "webhook_secret": "s",
            "default_flow": id("flows/id"),
        });
        let carrier = json!({"kind": "easypost", "name": "C", "webhook_secret": "s"});
        let endpoint = json!({"name": "E", "url": "https://e.example/"});
        let mut flow = flow(&id("email-templates/id"), &id("webhook-endpoints/id"));
        flow["name"] = json!("Taken over");
        Some(match operation.id.as_str() {
            "updateSettings" => json!({"grace_seconds": 1}),
            "createFlow" | "updateFlow" => flow,
            "createTemplate" | "updateTemplate" => template,
            "previewParts" => json!({"subject": "s", "text": "{{customerName}}", "order": id("orders/id")}),
            "previewTemplate" => json!({"order": id("orders/id")}),
            "testTemplate" => json!({"to": "hello@paperboat.example", "order": id("orders/id")}),
            "createSuppression" => json!({"address": "x@example.com"}),
            "createEndpoint" | "updateEndpoint" => endpoint,
            "createChannel" => channel,
            "updateChannel" => json!({"name": "C", "credentials": null, "default_flow": id("flows/id")}),
            "createCarrier" => carrier,
            "updateCarrier" => json!({"name": "C", "webhook_secret": "s"}),
            "createOrder" => json!({"external_id": "x", "flow": id("flows/id")}),
            "moveOrder" => json!({"stage": "Ready", "expected_seq": 2}),
            "assignOrder" => json!({"flow": id("flows/id"), "expected_seq": 2}),
            "moveOrders" => json!({"stage": self.stage, "orders": [id("orders/id")]}),
            "updatePackage" => json!({"carrier": "UPS"}),
            "addPackage" => json!({"number": "1Z"}),
            "retryRun" => json!({"accept_duplicate": true}),
            "sendRunAgain" => json!({"accept_duplicate": true}),
            "updateBrand" => json!({"color": "#102030"}),
            "recoverRuns" => json!({"since": "2026-11-20T16:00:00Z"}),
            "backfillChannel" => json!({"days": 3}),
            "createMember" => json!({"email": "x@example.com", "name": "X", "role": "viewer"}),
            "updateMember" => json!({"name": "Y", "role": "viewer"}),
            "createApiKey" => json!({"name": "K", "role": "viewer"}),
            "simulate" => json!({"order": id("orders/id"), "steps": [{"kind": "move", "stage": "Ready"}]}),
            other => match operation.about["requestBody"]["required"] == json!(true) {
                true => panic!("{other}: give a good body for it"),
                false => json!({}),
            },
        })
    }
}

async fn ask(api: &Api, known: &Known, operation: &Operation) -> Reply {
    let body = known.body(operation).map(|body| body.to_string().into_bytes());
    api.call(&operation.method, &known.path(operation), &[], body).await
}

/// Everything that the API shows of the shop, and what left it.
async fn everything(world: &World, known: &Known, operations: &[Operation]) -> Vec<(String, String)> {
    // Another shop may mail its own people.
    let ours = world.mails().into_iter().filter(|mail| mail.from.contains("paperboat.example"));
    let subjects: Vec<_> = ours.map(|mail| mail.subject).collect();
    let mut all = vec![("mails".to_owned(), format!("{subjects:?}"))];
    for operation in operations.iter().filter(|o| o.method == "GET") {
        let shown = world.api.call("GET", &known.path(operation), &[], None).await;
        all.push((operation.path.clone(), shown.text));
    }
    all
}

#[tokio::test]
async fn law_20_another_shops_key_finds_nothing_changes_nothing_and_is_told_nothing() {
    let world = World::start().await;
    let known = populated(&world).await;
    let operations = operations(&world).await;
    let other = ShopId::parse("shop_other").unwrap();
    let key = create_shop(world.host.core(), &other, "Other", "hello@other.example").await.unwrap();
    let stranger = world.api.with_key(&key);
    let before = everything(&world, &known, &operations).await;
    for operation in operations.iter().filter(|o| o.id != "getOpenApi") {
        let reply = ask(&stranger, &known, operation).await;
        let at = format!("{} {}: {} {}", operation.method, operation.path, reply.status, reply.text);
        if operation.names_something() {
            assert!(matches!(reply.status, 403 | 404), "{at}");
        } else if operation.method == "GET" {
            assert_eq!(reply.status, 200, "{at}");
        } else if known
            .body(operation)
            .is_some_and(|body| known.ids.values().any(|id| body.to_string().contains(id.as_str())))
        {
            assert!(matches!(reply.status, 404 | 422), "it named what is not its own: {at}");
        }
        for private in PRIVATE {
            assert!(!reply.text.contains(private), "it tells of {private}: {at}");
        }
    }
    world.settle().await;
    assert_eq!(everything(&world, &known, &operations).await, before);
}

#[tokio::test]
async fn law_20_every_operation_refuses_a_key_below_its_role_before_it_reads_anything() {
    let world = World::start().await;
    let known = populated(&world).await;
    let operations = operations(&world).await;
    let mut keys = Vec::new();
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        let key = create_key(world.host.core(), &world.shop, "key", role).await.unwrap().1;
        keys.push((role, world.api.with_key(&key)));
    }
    for (_, api) in &keys {
        api.get("/v1/settings").await.ok();
    }
    let before = everything(&world, &known, &operations).await;
    let mut refused = 0;
    for operation in &operations {
        let Some(least) = operation.role() else { continue };
        assert!(operation.method == "GET" || least > Role::Viewer, "{} changes something", operation.id);
        for (_, api) in keys.iter().filter(|(role, _)| *role < least) {
            let reply = ask(api, &known, operation).await;
            assert_eq!(reply.status, 403, "{}: {}", operation.id, reply.text);
            assert_eq!(reply.json()["type"], "/problems/forbidden");
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
    assert_eq!(everything(&world, &known, &operations).await, before);
}
