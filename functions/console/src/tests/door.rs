//! Who gets in, and whose forms are acted on.

use axum::body::Body;
use http::{Request, StatusCode, header};
use stagepost_app::config::create_owner;
use stagepost_app::people::print_link;
use stagepost_app::ports::ConfigChange;
use stagepost_domain::SignedDuration;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::Role;
use stagepost_secrets::LocalSecrets;
use stagepost_testkit::build;

use super::World;
use crate::pages;
use crate::shell::Area;

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_the_door_and_back() {
    let world = World::outside();
    for path in ["/", "/orders?stage=stg_new", "/settings/people", "/nowhere"] {
        let seen = world.get(path).await;
        assert_eq!(seen.status, StatusCode::SEE_OTHER, "{path}");
        let wanted: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        assert_eq!(seen.to(), format!("/sign-in?next={wanted}"));
    }
    let door = world.get("/sign-in?next=%2Forders%3Fstage%3Dstg_new").await;
    assert_eq!(door.value("next"), "/orders?stage=stg_new");
    // Nobody is led from our door to another site.
    assert_eq!(world.get("/sign-in?next=%2F%2Fevil.example").await.value("next"), "/");
    let part = world.part("/orders/ord_1/timeline").await;
    assert!(part.headers.contains_key("hx-redirect"));
}

#[tokio::test]
async fn a_key_that_is_not_known_says_so_at_the_field() {
    let world = World::outside();
    let seen = world.post_as_it_is("/sign-in", &[("key", "sp_wrong"), ("next", "/orders")]).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("API key is not known, or was revoked"));
    assert_eq!(seen.value("next"), "/orders");
}

#[tokio::test]
async fn a_session_ends_by_time_by_signing_out_and_with_its_key() {
    let world = World::new().await;
    assert_eq!(world.get("/orders").await.status, StatusCode::OK);
    world.clock.advance(SignedDuration::from_hours(12));
    assert_eq!(world.get("/orders").await.status, StatusCode::SEE_OTHER);
    world.sign_in(&build::shop(), Role::Admin).await;
    assert_eq!(world.post("/sign-out", &[]).await.to(), "/sign-in");
    assert_eq!(world.get("/orders").await.status, StatusCode::SEE_OTHER);
    world.sign_in(&build::shop(), Role::Member).await;
    let token = format!("sp_{}_{:?}", build::shop(), Role::Member);
    let hash = stagepost_domain::id::token_hash(&token);
    let id = stagepost_domain::id::KeyId::parse("key_Member").unwrap();
    let key = stagepost_domain::shop::ApiKey { hash, id, ..build::api_key(&build::shop(), Role::Member) };
    world.save(&build::shop(), ConfigChange::NoKey(key)).await;
    assert_eq!(world.get("/orders").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn both_answers_to_a_sign_out_that_is_sent_twice_take_the_session_away() {
    let world = World::new().await;
    let page = world.get("/orders").await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let signed_in = world.cookies.lock().unwrap().clone();
    for _ in 0..2 {
        // The second was on its way before the answer to the first had come.
        *world.cookies.lock().unwrap() = signed_in.clone();
        let seen = world.post_as_it_is("/sign-out", &[("csrf", &csrf), ("once", &once)]).await;
        assert_eq!(seen.to(), "/sign-in");
        let cookie = seen.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("__Host-stagepost=;") && cookie.contains("Max-Age=0"), "{cookie}");
    }
    assert_eq!(world.get("/orders").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn what_a_script_sends_while_somebody_types_takes_nobody_to_the_door() {
    let world = World::outside();
    let path = "/settings/notifications/preview";
    let seen = world.send(Request::post(path).header("HX-Request", "true"), Body::from("subject=a")).await;
    assert_eq!(seen.status, StatusCode::UNAUTHORIZED);
    assert!(!seen.headers.contains_key("hx-redirect") && seen.body.is_empty());
    // Sent by hand, its page is the one to come back to.
    let sent = Request::post(path).header(header::REFERER, "https://console.test/settings/notifications/new");
    let seen = world.send(sent, Body::from("subject=a")).await;
    assert_eq!(seen.to(), "/sign-in?next=%2Fsettings%2Fnotifications%2Fnew");
}

#[tokio::test]
async fn an_address_that_only_a_form_goes_to_is_no_blank_page() {
    let world = World::new().await;
    let order = world.order(1001).await;
    for path in [format!("/orders/{order}/hold"), "/sign-out".to_owned(), "/jobs/job_1/stop".to_owned()] {
        let seen = world.get(&path).await;
        assert_eq!(seen.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(seen.says("This address is not a page") && seen.says("Demo Shop"), "{path}");
        assert_eq!(seen.headers[header::ALLOW], "POST", "{path}");
    }
    assert_eq!(world.post("/orders/board", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let package = format!("/orders/{order}/packages/pkg_1");
    for (path, page) in [
        (format!("/orders/{order}/packages"), format!("/orders/{order}")),
        (package, format!("/orders/{order}")),
        ("/sign-in/mail".to_owned(), "/sign-in".to_owned()),
        ("/settings/flows/flow_main/preview".to_owned(), "/settings/flows/flow_main".to_owned()),
        ("/settings/notifications/preview".to_owned(), "/settings/notifications".to_owned()),
    ] {
        let seen = world.get(&path).await;
        assert_eq!((seen.status, seen.to()), (StatusCode::SEE_OTHER, page.as_str()), "{path}");
    }
}

#[tokio::test]
async fn a_form_outside_is_not_sent_twice_by_an_impatient_hand() {
    let world = World::outside();
    let seen = world.get("/sign-in").await;
    assert!(seen.says("<script src=\"/assets/console."), "{}", seen.body);
    let policy = seen.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("script-src 'self';"));
}

#[tokio::test]
async fn a_form_without_its_token_or_from_elsewhere_does_nothing() {
    let world = World::new().await;
    let page = world.get("/orders").await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let refused = [
        vec![],
        vec![("once", once.as_str())],
        vec![("csrf", ""), ("once", once.as_str())],
        vec![("csrf", "forged"), ("once", once.as_str())],
        vec![("csrf", csrf.as_str())],
    ];
    let hold = format!("/orders/{}/hold", world.order(1001).await);
    for fields in refused {
        // Signing out needs no key: it is done as often as it is asked for.
        let free = fields == [("csrf", csrf.as_str())];
        for path in ["/sign-out", &hold].into_iter().filter(|path| *path == hold || !free) {
            let seen = world.post_as_it_is(path, &fields).await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{path} {fields:?}");
            assert!(seen.says("This form is not from this session"));
        }
    }
    let body = format!("csrf={csrf}&once={once}");
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let seen = world.send(Request::post("/sign-out").header(name, value), Body::from(body.clone())).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert_eq!(world.get("/orders").await.status, StatusCode::OK);
    // The same form with the same token is good.
    let seen = world
        .send(Request::post("/sign-out").header("sec-fetch-site", "same-origin"), Body::from(body))
        .await;
    assert_eq!(seen.to(), "/sign-in");
}

#[tokio::test]
async fn nobody_elses_page_signs_somebody_in() {
    let world = World::outside();
    let request = Request::post("/sign-in").header(header::ORIGIN, "https://evil.example");
    let seen = world.send(request, Body::from("key=sp_a")).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_page_is_protected_and_kept_by_nobody() {
    let world = World::new().await;
    for area in Area::WORK.iter().chain(&Area::SETTINGS) {
        let seen = world.get(area.path()).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", area.path());
        assert_eq!(seen.headers[header::CACHE_CONTROL], "private, no-store");
        let policy = seen.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"));
        // What the policy would stop anyway.
        for forbidden in [" style=", " onclick=", "<style", "<script>"] {
            assert!(!seen.says(forbidden), "{}: {forbidden}", area.path());
        }
    }
    let css = world.get("/orders").await;
    let (_, rest) = css.body.split_once("href=\"/assets/console.").unwrap();
    let path = format!("/assets/console.{}", rest.split('"').next().unwrap());
    let asset = world.get(&path).await;
    assert_eq!(asset.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(world.get("/assets/console.0.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_there_is_a_page_that_says_what_to_do() {
    let world = World::new().await;
    let seen = world.get("/nowhere").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    assert!(seen.says("There is no such page") && seen.says("What to do") && seen.says("Demo Shop"));
}

#[tokio::test]
async fn what_programs_ask_for_is_not_led_to_the_door() {
    let world = World::outside();
    for path in ["/webhooks/shopify/chan_1", "/webhooks/shopify/chan_1/more", "/t/a/b"] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(world.post_as_it_is(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn an_id_that_none_can_be_names_nothing() {
    assert!(pages::id(stagepost_domain::id::OrderId::parse("x"), "order").is_err());
}

/// An owner of the demo shop, with the token of a link for them.
async fn invited(world: &World) -> String {
    let (secrets, key) = (LocalSecrets::from_key([7; 32]).unwrap(), SearchKey::of_deployment(&[7; 32]));
    let whom = ("kim@shop.test", "Kim <b>");
    let kim = create_owner(&world.core, &secrets, &key, &build::shop(), whom).await.unwrap();
    print_link(&world.core, &kim).await.unwrap()
}

#[tokio::test]
async fn a_link_signs_in_once_and_is_not_used_up_by_looking_at_it() {
    let world = World::outside();
    world.configured(&build::shop(), |_| {}).await;
    let path = format!("/sign-in/{}", invited(&world).await);
    for _ in 0..2 {
        let seen = world.get(&path).await;
        assert!(seen.says("Sign in to Demo Shop") && seen.says("Kim &#60;b&#62;") && !seen.says("<b>"));
    }
    let foreign = Request::post(&path).header(header::ORIGIN, "https://evil.example");
    assert_eq!(world.send(foreign, Body::empty()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post_as_it_is(&path, &[]).await.to(), "/");
    assert!(world.get("/orders").await.says("Kim &#60;b&#62;"));
    assert!(world.get("/shops").await.says("There is no other shop that you work with"));
    for seen in [world.get(&path).await, world.post_as_it_is(&path, &[]).await] {
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
        assert!(seen.says("This link was used before"));
    }
    assert!(world.get("/sign-in/nonsense").await.says("This link is not known"));
}

#[tokio::test]
async fn whoever_asks_for_a_link_is_told_the_same() {
    let world = World::outside();
    world.configured(&build::shop(), |_| {}).await;
    invited(&world).await;
    let mut told = Vec::new();
    for address in ["kim@shop.test", "nobody@shop.test"] {
        let seen = world.post_as_it_is("/sign-in/mail", &[("email", address)]).await;
        assert_eq!(seen.status, StatusCode::OK);
        told.push(seen.body.replace(address, ""));
    }
    assert_eq!(told[0], told[1]);
    let seen = world.post_as_it_is("/sign-in/mail", &[("email", "kim")]).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("E-mail address must be") && seen.says("value=\"kim\""));
}

#[tokio::test]
async fn a_members_session_goes_on_while_they_work() {
    let world = World::outside();
    world.configured(&build::shop(), |_| {}).await;
    let path = format!("/sign-in/{}", invited(&world).await);
    world.post_as_it_is(&path, &[]).await;
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_hours(11));
        assert_eq!(world.get("/orders").await.status, StatusCode::OK);
    }
    world.clock.advance(SignedDuration::from_hours(13));
    assert_eq!(world.get("/orders").await.status, StatusCode::SEE_OTHER);
}
