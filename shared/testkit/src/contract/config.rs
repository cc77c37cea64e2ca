//! Laws of configuration.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{CommitError, ConfigChange, ConfigStore, StoreError};
use stagepost_domain::brand::{Brand, Color};
use stagepost_domain::id::{EndpointId, FlowId, TemplateId, token_hash};
use stagepost_domain::shop::{ApiKey, Endpoint, Role};
use stagepost_domain::template::EmailTemplate;

use crate::build::{
    api_key, carrier, carrier_id, channel, channel_id, endpoint, endpoint_id, flow, flow_id, other_shop,
    seconds, settings, shop, template, template_id,
};

async fn save<S: ConfigStore>(store: &S, change: ConfigChange, version: u64) {
    store.save(&change, &settings(&shop(), version)).await.unwrap();
}

/// One read of the settings gives a consistent picture.
pub async fn settings_are_written_with_every_change<S: ConfigStore>(store: &S) {
    assert_eq!(store.settings(&shop()).await.unwrap(), None);
    save(store, ConfigChange::Shop, 1).await;
    let mut next = settings(&shop(), 2);
    next.endpoints.insert(EndpointId::parse("ep_two").unwrap(), 1);
    let two = Endpoint { id: EndpointId::parse("ep_two").unwrap(), ..endpoint(&shop()) };
    store.save(&ConfigChange::Endpoint(two.clone()), &next).await.unwrap();
    assert_eq!(store.settings(&shop()).await.unwrap(), Some(next));
    assert_eq!(store.endpoint(&shop(), &two.id).await.unwrap(), Some(two));
}

/// Plain until it is said, and the shop's own.
pub async fn a_shop_looks_as_it_said_last<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    assert_eq!(store.brand(&shop()).await.unwrap(), Brand::default());
    let brand = Brand { color: Some(Color::parse("#102030").unwrap()), logo: None };
    save(store, ConfigChange::Brand(brand.clone()), 2).await;
    assert_eq!(store.brand(&shop()).await.unwrap(), brand);
    assert_eq!(store.brand(&other_shop()).await.unwrap(), Brand::default());
    let stale = store.save(&ConfigChange::Brand(Brand::default()), &settings(&shop(), 2)).await;
    assert!(matches!(stale, Err(CommitError::LostRace)));
    assert_eq!(store.brand(&shop()).await.unwrap(), brand);
}

/// References cannot dangle: who has not seen the other's change has lost.
pub async fn of_two_saves_of_one_version_one_wins<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Flow(flow(&shop())), 2).await;
    let late = store.save(&ConfigChange::Endpoint(endpoint(&shop())), &settings(&shop(), 2)).await;
    assert!(matches!(late, Err(CommitError::LostRace)));
    let early = store.save(&ConfigChange::Endpoint(endpoint(&shop())), &settings(&shop(), 4)).await;
    assert!(matches!(early, Err(CommitError::LostRace)));
    assert!(store.endpoints(&shop()).await.unwrap().is_empty());
    assert_eq!(store.settings(&shop()).await.unwrap().unwrap().config_version, 2);
}

/// The second bootstrap has lost.
pub async fn a_shop_is_made_once<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    let again = store.save(&ConfigChange::Shop, &settings(&shop(), 1)).await;
    assert!(matches!(again, Err(CommitError::LostRace)));
    let nobody = store.save(&ConfigChange::Flow(flow(&other_shop())), &settings(&other_shop(), 2)).await;
    assert!(matches!(nobody, Err(CommitError::LostRace)));
}

/// A switch that was just turned counts at once.
pub async fn a_flow_is_read_as_it_was_saved_last<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Flow(flow(&shop())), 2).await;
    let mut edited = flow(&shop());
    edited.version = 2;
    edited.stages.iter_mut().for_each(|stage| stage.automations.email = None);
    edited.fulfilled_stage = None;
    save(store, ConfigChange::Flow(edited.clone()), 3).await;
    let mut second = flow(&shop());
    second.id = FlowId::parse("flow_second").unwrap();
    save(store, ConfigChange::Flow(second.clone()), 4).await;
    assert_eq!(store.flow(&shop(), &flow_id()).await.unwrap(), Some(edited.clone()));
    assert_eq!(store.flows(&shop()).await.unwrap(), vec![edited, second]);
}

/// A run names the version that it was decided with; a listing shows the newest of each.
pub async fn template_versions_stay_as_they_were<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    for version in 1..=3 {
        save(store, ConfigChange::Template(template(&shop(), version)), version + 1).await;
    }
    let other = EmailTemplate { id: TemplateId::parse("tmpl_other").unwrap(), ..template(&shop(), 1) };
    save(store, ConfigChange::Template(other.clone()), 5).await;
    for version in 1..=3 {
        let read = store.template(&shop(), &template_id(), Some(version)).await.unwrap();
        assert_eq!(read, Some(template(&shop(), version)));
    }
    let newest = store.template(&shop(), &template_id(), None).await.unwrap();
    assert_eq!(newest, Some(template(&shop(), 3)));
    assert_eq!(store.template(&shop(), &template_id(), Some(4)).await.unwrap(), None);
    assert_eq!(store.templates(&shop()).await.unwrap(), vec![template(&shop(), 3), other]);
}

/// Not even by a save that won its race.
pub async fn a_stored_template_version_cannot_be_replaced<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Template(template(&shop(), 1)), 2).await;
    let forged = EmailTemplate { subject: "Other".to_owned(), ..template(&shop(), 1) };
    let replaced = store.save(&ConfigChange::Template(forged), &settings(&shop(), 3)).await;
    assert!(matches!(replaced, Err(CommitError::Store(StoreError::Corrupt { .. }))));
    let read = store.template(&shop(), &template_id(), Some(1)).await.unwrap();
    assert_eq!(read, Some(template(&shop(), 1)));
    assert_eq!(store.settings(&shop()).await.unwrap().unwrap().config_version, 2);
}

/// Inbound URLs and bearer tokens name no shop.
pub async fn channels_carriers_and_keys_are_found_without_their_shop<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Channel(channel(&shop())), 2).await;
    save(store, ConfigChange::Carrier(carrier(&shop())), 3).await;
    let (hash, key) = (token_hash("sp_demo"), api_key(&shop(), Role::Owner));
    save(store, ConfigChange::Key(key.clone()), 4).await;
    assert_eq!(store.channel(&channel_id()).await.unwrap(), Some(channel(&shop())));
    assert_eq!(store.carrier(&carrier_id()).await.unwrap(), Some(carrier(&shop())));
    assert_eq!(store.api_key(&hash).await.unwrap(), Some(key));
    assert_eq!(store.api_key(&token_hash("sp_other")).await.unwrap(), None);
    assert_eq!(store.channels(&shop()).await.unwrap(), vec![channel(&shop())]);
    assert_eq!(store.carriers(&shop()).await.unwrap(), vec![carrier(&shop())]);
    let mut edited = channel(&shop());
    edited.name = "Renamed".to_owned();
    save(store, ConfigChange::Channel(edited.clone()), 5).await;
    assert_eq!(store.channel(&channel_id()).await.unwrap(), Some(edited.clone()));
    assert_eq!(store.channels(&shop()).await.unwrap(), vec![edited]);
}

/// A revoked key opens nothing, and a use that is noted late does not bring it back.
pub async fn a_key_is_listed_noted_and_revoked<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    let key = api_key(&shop(), Role::Owner);
    save(store, ConfigChange::Key(key.clone()), 2).await;
    store.note_use(&key, seconds(7)).await.unwrap();
    let used = ApiKey { last_used_at: Some(seconds(7)), ..key.clone() };
    assert_eq!(store.api_key(&key.hash).await.unwrap(), Some(used.clone()));
    assert_eq!(store.api_keys(&shop()).await.unwrap(), vec![used.clone()]);
    assert_eq!(store.api_keys(&other_shop()).await.unwrap(), []);
    save(store, ConfigChange::NoKey(used.clone()), 3).await;
    store.note_use(&used, seconds(9)).await.unwrap();
    assert_eq!(store.api_key(&key.hash).await.unwrap(), None);
    assert_eq!(store.api_keys(&shop()).await.unwrap(), []);
}

/// Its notifications would go to the wrong tenant.
pub async fn a_channel_does_not_change_hands<S: ConfigStore>(store: &S) {
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Channel(channel(&shop())), 2).await;
    store.save(&ConfigChange::Shop, &settings(&other_shop(), 1)).await.unwrap();
    let taken = store.save(&ConfigChange::Channel(channel(&other_shop())), &settings(&other_shop(), 2)).await;
    assert!(matches!(taken, Err(CommitError::Store(StoreError::Corrupt { .. }))));
    assert_eq!(store.channel(&channel_id()).await.unwrap(), Some(channel(&shop())));
    assert!(store.channels(&other_shop()).await.unwrap().is_empty());
}

async fn one_of_each<S: ConfigStore>(store: &S) {
    let shop = shop();
    let changes = [
        ConfigChange::Shop,
        ConfigChange::Flow(flow(&shop)),
        ConfigChange::Template(template(&shop, 1)),
        ConfigChange::Endpoint(endpoint(&shop)),
        ConfigChange::Channel(channel(&shop)),
        ConfigChange::Carrier(carrier(&shop)),
    ];
    for (version, change) in (1..).zip(changes) {
        save(store, change, version).await;
    }
}

/// Even with the ids in hand.
pub async fn another_shop_finds_no_configuration_by_id<S: ConfigStore>(store: &S) {
    one_of_each(store).await;
    let other = other_shop();
    assert_eq!(store.settings(&other).await.unwrap(), None);
    assert_eq!(store.flow(&other, &flow_id()).await.unwrap(), None);
    assert_eq!(store.template(&other, &template_id(), None).await.unwrap(), None);
    assert_eq!(store.template(&other, &template_id(), Some(1)).await.unwrap(), None);
    assert_eq!(store.endpoint(&other, &endpoint_id()).await.unwrap(), None);
}

/// Nor a list of it.
pub async fn another_shop_lists_no_configuration<S: ConfigStore>(store: &S) {
    one_of_each(store).await;
    let other = other_shop();
    assert!(store.flows(&other).await.unwrap().is_empty());
    assert!(store.templates(&other).await.unwrap().is_empty());
    assert!(store.endpoints(&other).await.unwrap().is_empty());
    assert!(store.channels(&other).await.unwrap().is_empty());
    assert!(store.carriers(&other).await.unwrap().is_empty());
}
