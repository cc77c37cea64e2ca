//! The logo and the colour of the tracking page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::brand::{Brand, LOGO_MAX};
use stagepost_domain::shop::{Role, Settings};
use stagepost_testkit::build;

use super::World;

const PAGE: &str = "/settings/brand";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

fn png() -> String {
    STANDARD.encode(PNG)
}

async fn brand(world: &World) -> Brand {
    world.store.brand(&build::shop()).await.unwrap()
}

#[tokio::test]
async fn logo_and_colour_are_saved_shown_and_taken_away() {
    let world = World::new().await;
    let bare = world.get(PAGE).await;
    assert!(
        bare.says("fill=\"#2563eb\"") && !bare.says("<img src=\"data:"),
        "as the tracking page is without"
    );
    let logo = format!("data:image/png;base64,{}", png());
    // As a terminal prints it, in lines.
    let pasted = format!("{}\r\n{}\r\n", &logo[..30], &logo[30..]);
    let seen = world.post(PAGE, &[("color", "#AA0044"), ("logo", &pasted)]).await;
    assert_eq!(seen.to(), PAGE, "{}", seen.body);
    let page = world.get(PAGE).await;
    assert!(page.says(&format!("<img src=\"{logo}\" alt=\"Demo Shop\">")), "{}", page.body);
    assert!(page.says("fill=\"#aa0044\"") && page.value("color") == "#aa0044");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("img-src 'self' data:;"), "or nobody would see it: {policy}");
    // Left empty, the logo stays; an empty colour is none.
    world.post(PAGE, &[("was", "#aa0044"), ("color", ""), ("logo", "")]).await;
    let now = brand(&world).await;
    assert!(now.logo.is_some() && now.color.is_none());
    // A new logo takes the place of the one that is taken away.
    world.post(PAGE, &[("color", ""), ("forget", "on"), ("logo", &png())]).await;
    assert!(brand(&world).await.logo.is_some());
    world.post(PAGE, &[("color", ""), ("forget", "on")]).await;
    assert_eq!(brand(&world).await, Brand::default());
}

#[tokio::test]
async fn a_colour_that_is_left_as_it_was_is_not_written_over_anothers() {
    let world = World::new().await;
    let old = world.get(PAGE).await;
    world.post(PAGE, &[("was", ""), ("color", "#aa0044"), ("logo", "")]).await;
    world.post(PAGE, &[("was", &old.value("was")), ("color", &old.value("color")), ("logo", &png())]).await;
    let now = brand(&world).await;
    assert!(now.logo.is_some() && now.color.is_some_and(|color| color.as_str() == "#aa0044"));
}

#[tokio::test]
async fn what_is_no_logo_or_no_colour_is_said_at_its_field_and_changes_nothing() {
    let world = World::new().await;
    let large = STANDARD.encode([PNG, &vec![0; LOGO_MAX]].concat());
    let svg = STANDARD.encode("<svg onload=alert(1)>");
    for (color, logo, says) in [
        ("red", png(), "Colour must be a colour like #1a2b3c."),
        ("#aa0044", "nonsense!".to_owned(), "Logo must be a picture in base64."),
        ("#aa0044", svg, "Logo must be a PNG, JPEG, WebP or GIF."),
        ("#aa0044", large, "Logo must have at most 10 KB."),
    ] {
        let seen = world.post(PAGE, &[("color", color), ("logo", &logo)]).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{says}");
        assert!(seen.says(says) && seen.value("color") == color, "{says}");
        assert!(seen.says(&format!("{logo}</textarea>")), "what was entered is not lost");
        assert_eq!(seen.says("<details open>"), says.starts_with("Logo"), "{says}");
    }
    assert_eq!(brand(&world).await, Brand::default());
}

#[tokio::test]
async fn only_admins_change_it_and_only_their_shops() {
    let world = World::new().await;
    let change = [("color", "#aa0044"), ("logo", "")];
    for role in [Role::Viewer, Role::Member] {
        world.sign_in(&build::shop(), role).await;
        assert_eq!(world.get(PAGE).await.status, StatusCode::FORBIDDEN, "{role:?}");
        assert_eq!(world.post(PAGE, &change).await.status, StatusCode::FORBIDDEN, "{role:?}");
    }
    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Admin).await;
    assert_eq!(world.post(PAGE, &change).await.to(), PAGE);
    assert_eq!(brand(&world).await, Brand::default());
}

#[tokio::test]
async fn the_shops_name_is_text_in_the_preview() {
    let world = World::new().await;
    let settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
    let name = "<script>alert(1)</script>".to_owned();
    let evil = Settings { name, config_version: settings.config_version + 1, ..settings };
    world.store.save(&ConfigChange::Shop, &evil).await.unwrap();
    let seen = world.get(PAGE).await;
    assert!(seen.status.is_success() && !seen.says("<script>alert"));
}
