//! Bad input at every door: it is told apart, answered as documented, and moves nothing.

use serde_json::{Value, json};
use stagepost_domain::event::Action;
use stagepost_domain::signing::{base64_hmac, easypost_v1, woocommerce_key};
use stagepost_standins::{Notification, OrderSpec, Posted};
use stagepost_tests::{EASYPOST_SECRET, SHOPIFY_DOMAIN, SHOPIFY_SECRET, WOO_SECRET, World};

use crate::support::{Way, call, easypost, notification, outcome, post, shopify, woo};

/// Largest notification that is read, in bytes.
const NOTIFICATION_MAX: usize = 4 * 1024 * 1024;

fn told(posted: &Posted) -> (u16, &[u8]) {
    (posted.status, posted.body.as_slice())
}

async fn quarantine(world: &World) -> Vec<Value> {
    world.api.get("/v1/quarantine?limit=100").await.ok()["items"].as_array().unwrap().clone()
}

/// A known order on each platform, at rest.
async fn known_orders(world: &World) -> [String; 2] {
    let spec = OrderSpec::new("Ada Lovelace", "ada@example.com");
    let (on_shopify, on_woo) = (world.shopify.create_order(&spec), world.woo.create_order(&spec));
    world.deliver_shopify().await;
    world.deliver_woo().await;
    world.pass(10).await;
    [world.shopify_order(&on_shopify), world.woo_order(&on_woo)]
}

async fn all_of(world: &World, ids: &[String]) -> Vec<Value> {
    let mut all = Vec::new();
    for id in ids {
        all.push(world.order(id).await);
        all.extend(world.timeline(id).await);
    }
    all
}

#[tokio::test]
async fn a_wrong_signature_of_any_kind_is_401_with_an_empty_body() {
    let world = World::start().await;
    let body = br#"{"id": 1, "order_id": 1, "created_at": "2026-11-20T17:01:00Z", "status": "processing"}"#;
    let good = [
        (Way::Shopify, "X-Shopify-Hmac-Sha256", base64_hmac(SHOPIFY_SECRET, body)),
        (Way::Woo, "X-WC-Webhook-Signature", base64_hmac(&woocommerce_key(WOO_SECRET), body)),
        (Way::Carrier, "X-Hmac-Signature", easypost_v1(EASYPOST_SECRET, body)),
    ];
    for (way, name, right) in &good {
        let foreign = match way {
            Way::Carrier => easypost_v1("another secret", body),
            _ => base64_hmac("another secret", body),
        };
        let wrong = [
            foreign,
            String::new(),
            " ".to_owned(),
            right.to_uppercase(),
            right[..right.len() - 4].to_owned(),
            format!("{right}{right}"),
            right.repeat(100),
            "A".repeat(6_000),
            "not base64 at all!".to_owned(),
            "====".to_owned(),
            "=".repeat(44),
            "hmac-sha256-hex=".to_owned(),
            format!("hmac-sha256-hex={}", "z".repeat(64)),
            format!("hmac-sha256-hex={}", "é".repeat(32)),
            base64_hmac("", body),
            easypost_v1("", body),
        ];
        let topic = ("X-Shopify-Topic", "orders/create");
        for value in &wrong {
            let answer = post(&world, *way, &notification("", &[topic, (name, value)], body)).await;
            assert_eq!(told(&answer), (401, &b""[..]), "{way:?} {value:.60}");
        }
        let missing = post(&world, *way, &notification("", &[topic], body)).await;
        assert_eq!(told(&missing), (401, &b""[..]), "{way:?}");
        // The right signature in the wrong place or over other bytes.
        let elsewhere = post(&world, *way, &notification("", &[("X-Signature", right)], body)).await;
        assert_eq!(told(&elsewhere), (401, &b""[..]), "{way:?}");
        let mut other = body.to_vec();
        other[7] ^= 1;
        let forged = post(&world, *way, &notification("", &[(name, right)], &other)).await;
        assert_eq!(told(&forged), (401, &b""[..]), "{way:?}");
        assert_eq!(
            post(&world, *way, &notification("", &[(name, right)], body)).await.status,
            200,
            "{way:?}"
        );
    }
    assert!(world.api.get(&format!("/v1/orders/{}", world.shopify_order("1"))).await.status == 404);
}

#[tokio::test]
async fn a_notification_of_another_store_of_the_same_app_is_401() {
    let world = World::start().await;
    let body = br#"{"id": 1, "created_at": "2026-11-20T17:01:00Z"}"#;
    let mut foreign = shopify(SHOPIFY_SECRET, "orders/create", body);
    foreign.headers.retain(|(name, _)| name != "X-Shopify-Shop-Domain");
    foreign.headers.push(("X-Shopify-Shop-Domain".to_owned(), "another.myshopify.com".to_owned()));
    assert_eq!(told(&post(&world, Way::Shopify, &foreign).await), (401, &b""[..]));
    assert_eq!(world.api.get(&format!("/v1/orders/{}", world.shopify_order("1"))).await.status, 404);
    let shouted = SHOPIFY_DOMAIN.to_uppercase();
    foreign.headers.last_mut().unwrap().1 = shouted;
    assert_eq!(post(&world, Way::Shopify, &foreign).await.status, 200);
}

#[tokio::test]
async fn an_unknown_malformed_or_foreign_channel_is_404() {
    let world = World::start().await;
    let body = br#"{"id": 1}"#;
    let signed = |kind: &str| match kind {
        "shopify" => shopify(SHOPIFY_SECRET, "orders/create", body),
        "woocommerce" => woo(WOO_SECRET, "order.created", body),
        _ => easypost(EASYPOST_SECRET, body),
    };
    let ids = &world.ids;
    let long = format!("chan_{}", "a".repeat(3_000));
    let named = [
        "chan_gone",
        "chan_",
        "chan",
        "car_gone",
        "car_",
        "nobody",
        "-",
        "%20",
        "%00",
        "%2e%2e",
        "chan_%ff",
        "chan_a%2Fb",
        "chan_a b".split(' ').next().unwrap(),
        "ord_gone",
        "null",
        &long,
        &ids.flow,
        &ids.endpoint,
    ];
    for kind in ["shopify", "woocommerce", "carriers"] {
        let own = match kind {
            "shopify" => &ids.shopify,
            "woocommerce" => &ids.woo,
            _ => &ids.carrier,
        };
        let others =
            [&ids.shopify, &ids.woo, &ids.carrier].into_iter().filter(|id| *id != own).map(String::as_str);
        for id in named.into_iter().chain(others) {
            let answer = world.courier.post(&format!("/webhooks/{kind}/{id}"), &signed(kind)).await.unwrap();
            assert_eq!(told(&answer), (404, &b""[..]), "{kind} {id:.60}");
        }
        for path in
            [format!("/webhooks/{kind}"), format!("/webhooks/{kind}/{own}/more"), "/webhooks/etsy/x".into()]
        {
            assert_eq!(world.courier.post(&path, &signed(kind)).await.unwrap().status, 404, "{path}");
        }
    }
    assert!(quarantine(&world).await.is_empty());
}

#[tokio::test]
async fn authentic_but_unreadable_is_kept_answered_2xx_and_moves_nothing() {
    let world = World::start().await;
    let orders = known_orders(&world).await;
    let before = all_of(&world, &orders).await;
    let deep = format!(r#"{{"id": 1, "x": {}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"null",
        b"7",
        b"[]",
        b"\"order\"",
        b"{}",
        b"\xff\xfe\x00",
        b"<html>502 Bad Gateway</html>",
        br#"{"id": null}"#,
        br#"{"id": 1.5, "created_at": "2026-11-20T17:01:00Z", "status": "processing"}"#,
        br#"{"id": -1, "order_id": "x", "status": "processing", "line_items": []}"#,
        deep.as_bytes(),
    ];
    let mut kept = 0;
    for body in bodies {
        let notifications = [
            (Way::Shopify, shopify(SHOPIFY_SECRET, "orders/updated", body)),
            (Way::Shopify, shopify(SHOPIFY_SECRET, "fulfillments/create", body)),
            (Way::Woo, woo(WOO_SECRET, "order.updated", body)),
            (Way::Carrier, easypost(EASYPOST_SECRET, body)),
        ];
        for (way, n) in notifications {
            let posted = post(&world, way, &n).await;
            let what = String::from_utf8_lossy(body.get(..40).unwrap_or(body)).into_owned();
            assert_eq!(outcome(&world, &posted).await, "quarantined", "{way:?} {} {what}", n.topic);
            kept += 1;
            let items = quarantine(&world).await;
            let newest =
                items.iter().find(|q| q["bytes"] == body.len()).unwrap_or_else(|| panic!("{items:?}"));
            assert!(!newest["reason"].as_str().unwrap().is_empty());
        }
    }
    let items = quarantine(&world).await;
    assert_eq!(items.len(), kept);
    let came_by = |id: &str| items.iter().filter(|q| q["came_by"] == id).count();
    assert_eq!(
        [&world.ids.shopify, &world.ids.woo, &world.ids.carrier].map(|id| came_by(id)),
        [2 * bodies.len(), bodies.len(), bodies.len()]
    );
    assert_eq!(items.iter().filter(|q| q["topic"] == "fulfillments/create").count(), bodies.len());
    world.pass(10).await;
    assert_eq!(all_of(&world, &orders).await, before);
}

#[tokio::test]
async fn a_signed_error_of_woocommerce_is_kept_with_its_code_and_moves_nothing() {
    let world = World::start().await;
    let orders = known_orders(&world).await;
    let before = all_of(&world, &orders).await;
    let codes = ["woocommerce_rest_cannot_view", "woocommerce_rest_shop_order_invalid_id"];
    for code in codes {
        let error = json!({"code": code, "message": "Sorry, Ada.", "data": {"status": 403}}).to_string();
        for topic in ["order.created", "order.updated", "order.deleted"] {
            let told = world.tell_woo(&woo(WOO_SECRET, topic, error.as_bytes())).await;
            assert_eq!(told, json!({"outcome": "quarantined"}), "{topic}");
        }
    }
    let items = quarantine(&world).await;
    for code in codes {
        let named = items.iter().filter(|q| q["reason"].as_str().unwrap().contains(code)).count();
        assert_eq!(named, 3, "{items:?}");
    }
    assert!(!items.iter().any(|q| q.to_string().contains("Ada")), "a reason tells nothing of the body");
    assert_eq!(all_of(&world, &orders).await, before);
}

#[tokio::test]
async fn a_notification_that_is_too_large_is_413_and_one_at_the_limit_is_read() {
    let world = World::start().await;
    let filler = |length: usize| {
        let frame = r#"{"id": 77, "created_at": "2026-11-20T17:01:00Z", "status": "processing", "billing": {}, "note": ""}"#;
        frame
            .replace(r#""note": """#, &format!(r#""note": "{}""#, "x".repeat(length - frame.len())))
            .into_bytes()
    };
    let (fits, over) = (filler(NOTIFICATION_MAX), filler(NOTIFICATION_MAX + 1));
    assert_eq!(fits.len(), NOTIFICATION_MAX);
    for (way, n) in [
        (Way::Shopify, shopify(SHOPIFY_SECRET, "orders/create", &over)),
        (Way::Woo, woo(WOO_SECRET, "order.created", &over)),
        (Way::Carrier, easypost(EASYPOST_SECRET, &over)),
    ] {
        assert_eq!(told(&post(&world, way, &n).await), (413, &b""[..]), "{way:?}");
    }
    assert!(quarantine(&world).await.is_empty());
    assert_eq!(
        world.tell_shopify(&shopify(SHOPIFY_SECRET, "orders/create", &fits)).await["outcome"],
        "changed"
    );
    assert_eq!(world.tell_woo(&woo(WOO_SECRET, "order.created", &fits)).await["outcome"], "changed");
    assert_eq!(world.tell_carrier(&easypost(EASYPOST_SECRET, &fits)).await["outcome"], "quarantined");
    let kept = quarantine(&world).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(
        kept[0]["bytes"], NOTIFICATION_MAX,
        "what is too large for an item is kept whole all the same"
    );
}

#[tokio::test]
async fn the_signature_is_checked_over_the_bytes_that_were_sent() {
    let world = World::start().await;
    // Bytes that a round trip through text would change, though the signature is right.
    let all: Vec<u8> = (0..=255).collect();
    for body in
        [&all[..], b"\xef\xbb\xbf{}", b"{\"a\":\"\\u00e9\xe9\"}", "\u{feff}\r\n".as_bytes(), b"dGVzdA=="]
    {
        for n in [shopify(SHOPIFY_SECRET, "orders/create", body), woo(WOO_SECRET, "order.created", body)] {
            let way = if n.topic.contains('/') { Way::Shopify } else { Way::Woo };
            assert_eq!(outcome(&world, &post(&world, way, &n).await).await, "quarantined", "{body:?}");
        }
        let posted = post(&world, Way::Carrier, &easypost(EASYPOST_SECRET, body)).await;
        assert_eq!(outcome(&world, &posted).await, "quarantined", "{body:?}");
    }
    // White space, key order, escapes and composed letters stay as they were signed.
    let body =
        "{ \"updated_at\":\"2026-11-20T17:01:00Z\",\n\t\"created_at\":\"2026-11-20T17:01:00Z\" , \"id\":5,
        \"customer\":{\"first_name\":\"Zo\\u00eb\",\"last_name\":\"Čapek\u{301} 李雷 🛶\"}}";
    let told = world.tell_shopify(&shopify(SHOPIFY_SECRET, "orders/create", body.as_bytes())).await;
    assert_eq!(told["outcome"], "changed");
    let order = world.order(&world.shopify_order("5")).await;
    assert_eq!(order["details"]["customer"]["name"], "Zoë Čapek\u{301} 李雷 🛶");
}

#[tokio::test]
async fn an_unknown_topic_is_2xx_and_no_op() {
    let world = World::start().await;
    let orders = known_orders(&world).await;
    let before = all_of(&world, &orders).await;
    let body = br#"{"id": 1, "status": "completed", "line_items": [], "created_at": "2026-11-20T17:01:00Z"}"#;
    let no_op = json!({"outcome": "no_op", "reason": "unknown_topic"});
    for topic in [
        "",
        "orders/paid",
        "orders/delete",
        "ORDERS/CREATE",
        "refunds/create",
        "app/uninstalled",
        "x",
        "order.updated",
    ] {
        assert_eq!(world.tell_shopify(&shopify(SHOPIFY_SECRET, topic, body)).await, no_op, "{topic}");
    }
    for topic in [
        "",
        "product.updated",
        "customer.created",
        "action.woocommerce_order_status_completed",
        "orders/create",
    ] {
        assert_eq!(world.tell_woo(&woo(WOO_SECRET, topic, body)).await, no_op, "{topic}");
    }
    for event in
        [json!({"object": "Batch"}), json!({"object": "Event", "description": "batch.updated", "result": {}})]
    {
        let told = world.tell_carrier(&easypost(EASYPOST_SECRET, event.to_string().as_bytes())).await;
        assert_eq!(told, no_op, "{event}");
    }
    // No topic header at all.
    let mut bare = shopify(SHOPIFY_SECRET, "orders/create", body);
    bare.headers.retain(|(name, _)| name != "X-Shopify-Topic");
    assert_eq!(world.tell_shopify(&bare).await, no_op);
    assert!(quarantine(&world).await.is_empty());
    assert_eq!(all_of(&world, &orders).await, before);
}

fn form(content_type: &str, body: &str, more: &[(&str, &str)]) -> Notification {
    let mut headers = vec![("Content-Type", content_type)];
    headers.extend(more);
    notification("ping", &headers, body.as_bytes())
}

#[tokio::test]
async fn woocommerces_ping_is_exactly_200_without_effect_and_nothing_else_is_let_in_unsigned() {
    let world = World::start().await;
    let orders = known_orders(&world).await;
    let before = all_of(&world, &orders).await;
    const FORM: &str = "application/x-www-form-urlencoded";
    assert_eq!(told(&post(&world, Way::Woo, &world.woo.ping()).await), (200, &b""[..]));
    for good in [
        form(FORM, "webhook_id=4294967295", &[]),
        form("Application/X-WWW-Form-Urlencoded; charset=UTF-8", "webhook_id=1", &[]),
    ] {
        assert_eq!(told(&post(&world, Way::Woo, &good).await), (200, &b""[..]));
    }
    let topic = ("X-WC-Webhook-Topic", "order.updated");
    let bad = [
        form(FORM, "webhook_id=1", &[topic]),
        form(FORM, "webhook_id=1", &[("x-wc-webhook-id", "1")]),
        form(FORM, "webhook_id=1", &[("X-WC-Anything", "1")]),
        form(FORM, "webhook_id=", &[]),
        form(FORM, "webhook_id=x", &[]),
        form(FORM, "webhook_id=-1", &[]),
        form(FORM, "webhook_id=1&webhook_id=2", &[]),
        form(FORM, "webhook_id=1\n", &[]),
        form(FORM, "Webhook_id=1", &[]),
        form(FORM, &format!("webhook_id={}", "1".repeat(21)), &[]),
        form(FORM, "", &[]),
        form("application/json", "webhook_id=1", &[]),
        form("text/plain", "webhook_id=1", &[]),
        notification("ping", &[], b"webhook_id=1"),
    ];
    for n in &bad {
        let what = String::from_utf8_lossy(&n.body);
        assert_eq!(told(&post(&world, Way::Woo, n).await), (401, &b""[..]), "{:?} {what}", n.headers);
    }
    for way in [Way::Shopify, Way::Carrier] {
        assert_eq!(told(&post(&world, way, &world.woo.ping()).await), (401, &b""[..]), "{way:?}");
    }
    let nowhere = world.courier.woocommerce("chan_gone", &world.woo.ping()).await.unwrap();
    assert_eq!(nowhere.status, 404);
    world.settle().await;
    assert!(quarantine(&world).await.is_empty());
    assert_eq!(all_of(&world, &orders).await, before);
}

#[tokio::test]
async fn the_api_tells_what_is_not_json_too_large_nowhere_or_not_done_apart() {
    let world = World::start().await;
    let role = stagepost_domain::shop::Role::Owner;
    let key = stagepost_app::config::create_key(world.host.core(), &world.shop, "key", role).await.unwrap().1;
    let bearer = format!("Bearer {key}");
    let auth = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let order = json!({"external_id": "x"});
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    let (flow, template, endpoint) = (&world.ids.flow, &world.ids.template, &world.ids.endpoint);
    let writes = [
        ("PATCH", "/v1/settings".to_owned()),
        ("POST", "/v1/flows".to_owned()),
        ("PUT", format!("/v1/flows/{flow}")),
        ("POST", "/v1/email-templates".to_owned()),
        ("PUT", format!("/v1/email-templates/{template}")),
        ("POST", "/v1/webhook-endpoints".to_owned()),
        ("PUT", format!("/v1/webhook-endpoints/{endpoint}")),
        ("POST", "/v1/channels".to_owned()),
        ("POST", "/v1/carriers".to_owned()),
        ("POST", "/v1/orders".to_owned()),
        ("POST", format!("/v1/orders/{id}/move")),
        ("POST", format!("/v1/orders/{id}/packages")),
    ];
    let deep = "[".repeat(10_000);
    for (method, path) in &writes {
        let bodies =
            ["{", "nonsense", "{\"name\": }", "{} {}", "\u{feff}{}", "{\"name\": \"\u{1}\"}", deep.as_str()];
        for body in bodies {
            let what = format!("{method} {path} {body:.20}");
            call(&world, method, path, &auth, Some(body.as_bytes().to_vec())).await.problem(400, &what);
        }
        call(&world, method, path, &auth, Some(b"\xff\xfe".to_vec())).await.problem(400, path);
        let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(512 * 1024)).into_bytes();
        call(&world, method, path, &auth, Some(large)).await.problem(413, path);
        for wrong in ["[]", "[\"Renamed\", null, null]", "7", "\"text\"", "null"] {
            let problem =
                call(&world, method, path, &auth, Some(wrong.as_bytes().to_vec())).await.problem(422, path);
            assert!(
                problem["errors"][0]["reason"].as_str().unwrap().contains("JSON object"),
                "{path} {problem}"
            );
        }
    }
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/orders/x/y/z", "/v1/flows/"] {
        call(&world, "GET", path, &auth, None).await.problem(404, path);
    }
    for (method, path) in [
        ("DELETE", "/v1/flows"),
        ("PATCH", "/v1/orders"),
        ("PUT", "/v1/settings"),
        ("POST", "/v1/quarantine"),
    ] {
        call(&world, method, path, &auth, None).await.problem(405, path);
    }
    for path in [
        "/v1/orders/x",
        "/v1/flows/flow_",
        "/v1/runs/run_x",
        "/v1/channels/%00",
        "/v1/orders/%ff",
        "/v1/orders/ord_%c3%28/timeline",
        "/v1/email-templates/ord_gone",
    ] {
        call(&world, "GET", path, &auth, None).await.problem(404, path);
    }
}

#[tokio::test]
async fn a_message_that_nobody_can_read_goes_to_the_dead_letters_at_once() {
    let world = World::start().await;
    let orders = known_orders(&world).await;
    let before = all_of(&world, &orders).await;
    let bad = ["x", "{}", "null", r#"{"v":1}"#, r#"{"v":1,"run":"run_"}"#];
    for runner in Action::ALL {
        for body in bad {
            assert!(world.host.inject_message(runner, body).await, "{body}");
        }
    }
    // At once: one that came back would wait, and nothing moves the clock of the queue here.
    world.settle().await;
    assert_eq!(world.host.dead_letters().await, bad.len() * Action::ALL.len());
    // One that can be read and names nothing is answered, and is no dead letter.
    for runner in Action::ALL {
        assert!(world.host.inject_message(runner, r#"{"v":1,"run":"run_gone.1.email.tmpl_gone.0"}"#).await);
    }
    world.settle().await;
    assert_eq!(world.host.dead_letters().await, bad.len() * Action::ALL.len());
    assert_eq!(all_of(&world, &orders).await, before);
    assert_eq!(world.shopify.fulfillment_calls() + world.woo.fulfillment_calls(), 0);
}
