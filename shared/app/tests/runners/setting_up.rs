//! A shop's configuration: what must not come half-made, or twice.

use stagepost_app::config::{ChannelInput, ConfigError, create_channel, create_key, create_shop};
use stagepost_app::ports::ConfigStore;
use stagepost_domain::id::token_hash;
use stagepost_domain::shop::{Channel, Role};
use stagepost_testkit::{Fault, build};

use super::far_end::OpenVault;
use super::wire::{Side, crashed, done};
use super::world::World;

#[test]
fn a_shop_and_its_first_key_are_one_write() {
    let world = World::new();
    let shop = build::other_shop();
    let make = || create_shop(&world.core, &shop, "Other", "hello@other.test");
    // Stopped before the write: nothing is there, so it can be made again. After it: the key is there.
    world.wire.cut(Side::Before, "save");
    crashed(make());
    assert_eq!(done(world.store.settings(&shop)).unwrap(), None);
    world.store.inject(Fault::Down);
    done(make()).unwrap_err();
    let writes = world.store.writes();
    let token = done(make()).unwrap();
    assert_eq!(world.store.writes(), writes + 1);
    let key = done(world.store.api_key(&token_hash(&token))).unwrap().unwrap();
    assert_eq!((key.shop, key.role), (shop.clone(), Role::Owner));
    let refused = done(make()).unwrap_err();
    assert!(matches!(&refused, ConfigError::Invalid(wrong) if wrong[0].field == "shop"), "{refused:?}");
    assert_eq!(done(world.store.settings(&shop)).unwrap().unwrap().config_version, 1);
    // Another key goes on from there.
    done(create_key(&world.core, &shop, "second", Role::Admin)).unwrap();
}

fn connect(world: &World, store: &str) -> Result<Channel, ConfigError> {
    let platform = if store.contains("://") { "woocommerce" } else { "shopify" };
    let input =
        serde_json::json!({"platform": platform, "name": "Again", "store": store, "webhook_secret": "s"});
    let input: ChannelInput = serde_json::from_value(input).unwrap();
    done(create_channel(&world.core, &OpenVault, &build::shop(), &input, |_| Ok(())))
}

#[test]
fn a_store_is_connected_once_however_it_is_spelled() {
    let world = World::new();
    for spellings in [
        ["boats.myshopify.com", " Boats.MyShopify.com "],
        ["https://boats.test/shop", "HTTPS://Boats.test/shop/"],
    ] {
        connect(&world, spellings[0]).unwrap();
        for again in spellings {
            let refused = connect(&world, again).unwrap_err();
            assert!(
                matches!(&refused, ConfigError::Invalid(wrong) if wrong[0].field == "store"),
                "{refused:?}"
            );
        }
    }
    connect(&world, "https://boats.test/other").unwrap();
    assert_eq!(done(world.store.channels(&build::shop())).unwrap().len(), 4);
    // Another shop may have connected it too: its orders are its own.
    let other = build::other_shop();
    done(create_shop(&world.core, &other, "Other", "hello@other.test")).unwrap();
    let input = serde_json::json!({"platform": "shopify", "name": "Mine", "store": "boats.myshopify.com", "webhook_secret": "s"});
    let input: ChannelInput = serde_json::from_value(input).unwrap();
    done(create_channel(&world.core, &OpenVault, &other, &input, |_| Ok(()))).unwrap();
}

#[test]
fn a_store_that_two_connect_at_once_is_connected_once() {
    let world = World::new();
    let other = world.clone();
    world.wire.at(Side::Before, "save", move || {
        connect(&other, "boats.myshopify.com").unwrap();
    });
    connect(&world, "boats.myshopify.com").unwrap_err();
}
