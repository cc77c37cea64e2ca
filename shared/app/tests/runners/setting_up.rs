//! A shop's configuration: what must not come half-made, or twice.

use serde_json::{Value, json};
use stagepost_app::config::{
    CarrierInput, CarrierPatch, ChannelInput, ConfigError, Removal, create_carrier, create_channel,
    create_key, create_shop, put_endpoint, put_flow, put_template, remove, update_carrier, update_channel,
};
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::id::{CarrierId, token_hash};
use stagepost_domain::keyring::OVERLAP;
use stagepost_domain::shop::{CarrierIntegration, Channel, Role, Sealed};
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
    let input = json!({"platform": platform, "name": "Again", "store": store, "webhook_secret": "s"});
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
    let input =
        json!({"platform": "shopify", "name": "Mine", "store": "boats.myshopify.com", "webhook_secret": "s"});
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

/// The thing edited, as it is called, its name now, and its version.
type Edited = (&'static str, fn(&World, &str) -> Result<(), ConfigError>, fn(&World) -> (String, u64));

fn input<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn edit_flow(world: &World, name: &str) -> Result<(), ConfigError> {
    let there = done(world.store.flows(&build::shop())).unwrap().remove(0);
    let stages: Vec<Value> = there.stages.iter().map(|s| json!({"id": s.id, "name": s.name})).collect();
    let new = input(json!({"name": name, "stages": stages}));
    done(put_flow(&world.core, &build::shop(), Some(&there.id), &new, None)).map(|_| ())
}

fn edit_template(world: &World, name: &str) -> Result<(), ConfigError> {
    let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
    let id = settings.templates.keys().next().unwrap();
    let new = input(json!({"name": name, "subject": "s", "text": "t"}));
    done(put_template(&world.core, &build::shop(), Some(id), &new, None)).map(|_| ())
}

fn edit_endpoint(world: &World, name: &str) -> Result<(), ConfigError> {
    let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
    let id = settings.endpoints.keys().next().unwrap();
    let new = input(json!({"name": name, "url": "https://receiver.test/"}));
    done(put_endpoint(&world.core, &OpenVault, &build::shop(), Some(id), &new, |_| Ok(()), None)).map(|_| ())
}

const EDITS: [Edited; 3] = [
    ("flow", edit_flow, |world| {
        let flow = done(world.store.flows(&build::shop())).unwrap().remove(0);
        (flow.name, flow.version)
    }),
    ("template", edit_template, |world| {
        let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
        let (id, version) = settings.templates.iter().next().unwrap();
        (done(world.store.template(&build::shop(), id, Some(*version))).unwrap().unwrap().name, *version)
    }),
    ("endpoint", edit_endpoint, |world| {
        let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
        let (id, version) = settings.endpoints.iter().next().unwrap();
        (done(world.store.endpoint(&build::shop(), id)).unwrap().unwrap().name, *version)
    }),
];

#[test]
fn of_two_edits_of_the_same_thing_at_once_the_second_is_refused_and_writes_nothing() {
    for (what, edit, now) in EDITS {
        let world = World::new();
        let before = now(&world).1;
        let other = world.clone();
        world.wire.at(Side::Before, "save", move || edit(&other, "theirs").unwrap());
        let refused = edit(&world, "mine").unwrap_err();
        assert!(matches!(refused, ConfigError::Conflict), "{what}: {refused:?}");
        assert_eq!(now(&world), ("theirs".to_owned(), before + 1), "{what}");
    }
}

#[test]
fn an_edit_that_meets_a_change_of_something_else_goes_through() {
    for (i, (what, edit, now)) in EDITS.into_iter().enumerate() {
        let world = World::new();
        let before = now(&world).1;
        let other = world.clone();
        let (_, edit_other, now_other) = EDITS[(i + 1) % EDITS.len()];
        world.wire.at(Side::Before, "save", move || edit_other(&other, "theirs").unwrap());
        edit(&world, "mine").unwrap();
        assert_eq!(now(&world), ("mine".to_owned(), before + 1), "{what}");
        assert_eq!(now_other(&world).0, "theirs", "{what}");
    }
}

#[test]
fn an_edit_whose_answer_was_lost_on_the_way_is_not_taken_for_somebody_elses() {
    for (what, edit, now) in EDITS {
        let world = World::new();
        let before = now(&world).1;
        let other = world.clone();
        // The first write arrives, its answer does not, and the client's own second try finds it there.
        world.wire.at(Side::Before, "save", move || edit(&other, "mine").unwrap());
        edit(&world, "mine").unwrap();
        assert_eq!(now(&world), ("mine".to_owned(), before + 1), "{what}");
    }
}

#[test]
fn a_secret_that_is_saved_twice_drops_no_other() {
    let world = World::new();
    let channel = connect(&world, "boats.myshopify.com").unwrap();
    let save = |secret: &str| {
        let patch = input(json!({"webhook_secret": secret}));
        let saved = done(update_channel(&world.core, &OpenVault, &build::shop(), &channel.id, &patch, None));
        let ring = saved.unwrap().webhook_secrets;
        ring.at(world.core.now()).map(|(sealed, _)| sealed.0.clone()).collect::<Vec<_>>()
    };
    assert_eq!(save("s"), ["s"]);
    assert_eq!(save("new"), ["new", "s"]);
    assert_eq!(save("new"), ["new", "s"]);
    // Back to the one before: the store may sign with either.
    assert_eq!(save("s"), ["s", "new"]);
    assert_eq!(save("third"), ["third", "s", "new"]);
    world.clock.advance(OVERLAP);
    assert_eq!(save("third"), ["third"]);
}

fn integrate(world: &World, key: Option<&str>) -> Result<CarrierIntegration, ConfigError> {
    let input = json!({"kind": "easypost", "name": "Parcels", "webhook_secret": "s", "credentials": key});
    let input: CarrierInput = serde_json::from_value(input).unwrap();
    done(create_carrier(&world.core, &OpenVault, &build::shop(), &input))
}

fn correct(world: &World, id: &CarrierId, patch: Value) -> Result<CarrierIntegration, ConfigError> {
    let patch: CarrierPatch = serde_json::from_value(patch).unwrap();
    done(update_carrier(&world.core, &OpenVault, &build::shop(), id, &patch, None))
}

fn registrar(world: &World) -> Option<(CarrierId, u64)> {
    let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
    settings.registrar.map(|r| (r.carrier, r.version))
}

#[test]
fn the_settings_name_the_oldest_integration_with_a_key_whatever_is_changed() {
    let world = World::new();
    assert_eq!(registrar(&world), None, "the demo's has no key");
    let first = integrate(&world, Some(" EZAK1 ")).unwrap();
    assert_eq!(first.credentials, Some(Sealed("EZAK1".to_owned())));
    assert_eq!(registrar(&world), Some((first.id.clone(), 1)));
    let second = integrate(&world, Some("EZAK2")).unwrap();
    integrate(&world, None).unwrap();
    assert_eq!(registrar(&world), Some((first.id.clone(), 1)));
    // What is written by others keeps it.
    world.save(ConfigChange::Shop);
    correct(&world, &first.id, json!({"name": "Boxes"})).unwrap();
    assert_eq!(registrar(&world), Some((first.id.clone(), 2)));
    correct(&world, &first.id, json!({"credentials": null})).unwrap();
    assert_eq!(registrar(&world), Some((second.id.clone(), 1)));
    correct(&world, &first.id, json!({"credentials": "EZAK3"})).unwrap();
    assert_eq!(registrar(&world), Some((first.id.clone(), 4)));
    done(remove(&world.core, &build::shop(), Removal::Carrier(&first.id), None)).unwrap();
    assert_eq!(registrar(&world), Some((second.id.clone(), 1)));
    done(remove(&world.core, &build::shop(), Removal::Carrier(&second.id), None)).unwrap();
    assert_eq!(registrar(&world), None);
}

#[test]
fn an_easypost_key_is_checked_and_printed_nowhere() {
    let world = World::new();
    for bad in ["", "  ", "a b", "user:password", "schlüssel", &"x".repeat(501)] {
        let refused = integrate(&world, Some(bad)).unwrap_err();
        assert!(
            matches!(&refused, ConfigError::Invalid(wrong) if wrong[0].field == "credentials"),
            "{bad}: {refused:?}"
        );
    }
    let patch: CarrierPatch = serde_json::from_value(json!({"credentials": "EZAKsecret"})).unwrap();
    assert!(!format!("{patch:?}").contains("secret\""), "{patch:?}");
    assert!(!format!("{:?}", integrate(&world, Some("EZAKsecret")).unwrap()).contains("EZAKsecret"));
}
