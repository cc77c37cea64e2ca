//! Secrets that are replaced: the one before counts for a day more (law 17).

use std::sync::Arc;

use stagepost_app::Core;
use stagepost_app::config::{ConfigError, rotate_endpoint_secret};
use stagepost_app::ports::{ConfigChange, ConfigStore, Post};
use stagepost_domain::event::Action;
use stagepost_domain::id::EndpointId;
use stagepost_domain::keyring::{Keyring, OVERLAP};
use stagepost_domain::run::{RunId, RunState};
use stagepost_domain::shop::{Endpoint, Sealed};
use stagepost_testkit::{SeededEntropy, build};
use standardwebhooks::Webhook;

use super::far_end::{OpenVault, UNOPENABLE};
use super::wire::{Side, done};
use super::world::{World, secrets};

/// The demo endpoint with one secret only.
fn quiet() -> World {
    let world = World::new();
    let [secret, _] = secrets();
    save(&world, Keyring::new(Sealed(secret)));
    world
}

fn save(world: &World, secrets: Keyring) {
    world.save(ConfigChange::Endpoint(Endpoint { secrets, ..build::endpoint(&build::shop()) }));
}

fn rotate(world: &World) -> String {
    done(rotate_endpoint_secret(&world.core, &OpenVault, &build::shop(), &build::endpoint_id())).unwrap().1
}

fn endpoint(world: &World) -> Endpoint {
    done(world.store.endpoint(&build::shop(), &build::endpoint_id())).unwrap().unwrap()
}

fn call(world: &World) -> RunId {
    world.run_of(world.enter("packing"), Action::Webhook)
}

/// The call that a stage entry makes now.
fn called(world: &World) -> Post {
    let call = call(world);
    assert!(matches!(world.ring_to(&call), RunState::Succeeded { .. }));
    world.receiver.posts().pop().unwrap()
}

/// Whether a receiver with this secret takes the call, by its own library. (Its `verify` compares times with the
/// machine's clock, which these tests do not run on; this is the rest of it.)
fn verifies(secret: &str, post: &Post) -> bool {
    let header = |name: &str| post.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
    let time = header("webhook-timestamp").parse().unwrap();
    let own = Webhook::new(secret).unwrap().sign(&header("webhook-id"), time, &post.body).unwrap();
    header("webhook-signature").split(' ').any(|signature| signature == own)
}

#[test]
fn law_17_a_rotated_endpoint_secret_signs_beside_the_new_one_for_a_day_and_no_longer() {
    let [old, _] = secrets();
    for (waited, both) in [(0, true), (24 * 3_600 - 1, true), (24 * 3_600, false)] {
        let world = quiet();
        let new = rotate(&world);
        assert_ne!(new, old);
        world.pass(waited);
        let post = called(&world);
        assert!(verifies(&new, &post), "{waited} s later");
        assert_eq!(verifies(&old, &post), both, "{waited} s later");
    }
}

#[test]
fn a_rotation_is_a_new_version_of_the_endpoint_and_of_the_configuration() {
    let world = quiet();
    let before = done(world.store.settings(&build::shop())).unwrap().unwrap();
    rotate(&world);
    let (after, endpoint) = (done(world.store.settings(&build::shop())).unwrap().unwrap(), endpoint(&world));
    assert_eq!(after.config_version, before.config_version + 1);
    assert_eq!((endpoint.version, after.endpoints[&endpoint.id]), (2, 2));
}

#[test]
fn a_rotation_whose_answer_was_lost_on_the_way_is_not_made_twice() {
    let world = quiet();
    // The first write arrives, its answer does not, and the client's own second try finds it there.
    let again = || Core { entropy: Arc::new(SeededEntropy::new(9)), ..world.core.clone() };
    let first = Core {
        store: world.store.clone(),
        clock: world.core.clock.clone(),
        entropy: again().entropy,
        restored_at: None,
    };
    world.wire.at(Side::Before, "save", move || {
        done(rotate_endpoint_secret(&first, &OpenVault, &build::shop(), &build::endpoint_id())).unwrap();
    });
    let (endpoint, secret) =
        done(rotate_endpoint_secret(&again(), &OpenVault, &build::shop(), &build::endpoint_id())).unwrap();
    assert_eq!((endpoint.version, endpoint.secrets.current()), (2, &Sealed(secret)));
    assert_eq!(endpoint.secrets.at(world.now()).count(), 2);
}

#[test]
fn two_rotations_at_once_lose_neither_secret() {
    let world = quiet();
    let other = world.clone();
    let (told, theirs) = std::sync::mpsc::channel();
    world.wire.at(Side::Before, "save", move || told.send(rotate(&other)).unwrap());
    let mine = rotate(&world);
    let post = called(&world);
    assert!(verifies(&mine, &post) && verifies(&theirs.recv().unwrap(), &post));
}

#[test]
fn law_20_another_shops_endpoint_is_not_there_to_rotate() {
    let world = quiet();
    let no_such = EndpointId::parse("ep_none").unwrap();
    for (shop, id) in [(build::shop(), no_such), (build::other_shop(), build::endpoint_id())] {
        let refused = done(rotate_endpoint_secret(&world.core, &OpenVault, &shop, &id)).unwrap_err();
        assert!(matches!(refused, ConfigError::NotFound), "{shop} {id}");
    }
    assert_eq!(endpoint(&world).version, 1);
}

#[test]
fn a_former_secret_that_never_opens_again_stops_no_call_and_the_current_one_does() {
    let [good, _] = secrets();
    let (good, bad) = (Sealed(good), Sealed(UNOPENABLE.to_owned()));
    let world = quiet();
    save(&world, Keyring::new(bad.clone()).replaced(good.clone(), |_| false, world.now()));
    assert!(verifies(&good.0, &called(&world)));
    let world = quiet();
    save(&world, Keyring::new(good).replaced(bad, |_| false, world.now()));
    let call = call(&world);
    assert!(matches!(world.ring_to(&call), RunState::Pending { .. }), "tried again, in case it is put right");
    world.clock.advance(OVERLAP);
    assert!(world.receiver.posts().is_empty(), "nobody is called with an old signature alone");
}
