//! Laws of people and of the links that let them in.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use std::slice::from_ref;

use stagepost_app::mail::ports::{Asked, AskedMail, AskedMailStore};
use stagepost_app::people::ports::{Identity, LinkStore, PeopleStore};
use stagepost_app::ports::{CommitError, ConfigChange, ConfigStore, StoreError};
use stagepost_domain::id::{AttemptId, MailId};
use stagepost_domain::link::{Link, LinkKind, Used};
use stagepost_domain::member::Member;
use stagepost_domain::session::Who;
use stagepost_domain::shop::Role;

use crate::build::{api_key, member, other_shop, seconds, settings, shop};

async fn save<S: ConfigStore>(store: &S, change: ConfigChange, version: u64) {
    store.save(&change, &settings(&shop(), version)).await.unwrap();
}

/// By their id in the shop, and by the person in all shops: who signs in names no shop.
pub async fn a_member_is_found_by_shop_and_by_person<S: ConfigStore + PeopleStore>(store: &S) {
    let (ann, ben) = (member(&shop(), "ann", Role::Owner), member(&shop(), "ben", Role::Viewer));
    let elsewhere = member(&other_shop(), "ann", Role::Member);
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Member(ann.clone()), 2).await;
    save(store, ConfigChange::Member(ben.clone()), 3).await;
    store.save(&ConfigChange::Shop, &settings(&other_shop(), 1)).await.unwrap();
    store.save(&ConfigChange::Member(elsewhere.clone()), &settings(&other_shop(), 2)).await.unwrap();
    assert_eq!(store.member(&shop(), &ann.id).await.unwrap(), Some(ann.clone()));
    assert_eq!(store.member(&other_shop(), &ben.id).await.unwrap(), None);
    assert_eq!(store.members(&shop()).await.unwrap(), [ann.clone(), ben.clone()]);
    assert_eq!(store.members(&other_shop()).await.unwrap(), from_ref(&elsewhere));
    let mut both = [ann.clone(), elsewhere];
    both.sort_by(|a, b| a.shop.cmp(&b.shop));
    assert_eq!(store.memberships(&ann.person).await.unwrap(), both);
    assert_eq!(store.memberships(&ben.person).await.unwrap(), from_ref(&ben));
    let edited = Member { role: Role::Admin, version: 2, ..ben };
    save(store, ConfigChange::Member(edited.clone()), 4).await;
    assert_eq!(store.memberships(&edited.person).await.unwrap(), [edited]);
}

/// Two of one address could not be told apart when they sign in.
pub async fn a_shop_has_each_person_once<S: ConfigStore + PeopleStore>(store: &S) {
    let ann = member(&shop(), "ann", Role::Owner);
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Member(ann.clone()), 2).await;
    let second = Member { id: member(&shop(), "other", Role::Owner).id, ..ann.clone() };
    let refused = store.save(&ConfigChange::Member(second), &settings(&shop(), 3)).await;
    assert!(matches!(refused, Err(CommitError::Store(StoreError::Corrupt { .. }))));
    assert_eq!(store.members(&shop()).await.unwrap(), [ann]);
}

/// And the address can be invited again.
pub async fn a_member_who_is_gone_is_gone_everywhere<S: ConfigStore + PeopleStore>(store: &S) {
    let ann = member(&shop(), "ann", Role::Owner);
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Member(ann.clone()), 2).await;
    save(store, ConfigChange::NoMember(ann.clone()), 3).await;
    assert_eq!(store.member(&shop(), &ann.id).await.unwrap(), None);
    assert_eq!(store.members(&shop()).await.unwrap(), []);
    assert_eq!(store.memberships(&ann.person).await.unwrap(), []);
    let again = Member { id: member(&shop(), "again", Role::Owner).id, ..ann };
    save(store, ConfigChange::Member(again.clone()), 4).await;
    assert_eq!(store.memberships(&again.person).await.unwrap(), [again]);
}

/// What a request of the console reads of whoever makes it.
pub async fn a_member_is_read_with_the_shop_and_so_is_a_key<S: ConfigStore + PeopleStore>(store: &S) {
    let (ann, key) = (member(&shop(), "ann", Role::Owner), api_key(&shop(), Role::Admin));
    let (as_ann, as_key) = (Who::Member(ann.id.clone()), Who::Key(key.id.clone()));
    assert_eq!(store.identity(&shop(), &as_ann).await.unwrap(), None);
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Member(ann.clone()), 2).await;
    save(store, ConfigChange::Key(key.clone()), 3).await;
    store.save(&ConfigChange::Shop, &settings(&other_shop(), 1)).await.unwrap();
    let now = settings(&shop(), 3);
    let found = store.identity(&shop(), &as_ann).await.unwrap();
    assert_eq!(found, Some((now.clone(), Identity::Member(Box::new(ann.clone())))));
    let found = store.identity(&shop(), &as_key).await.unwrap();
    assert_eq!(found, Some((now, Identity::Key(Box::new(key.clone())))));
    for who in [&as_ann, &as_key] {
        assert_eq!(store.identity(&other_shop(), who).await.unwrap(), None, "{who} in another shop");
    }
    save(store, ConfigChange::NoMember(ann), 4).await;
    save(store, ConfigChange::NoKey(key), 5).await;
    for who in [&as_ann, &as_key] {
        assert_eq!(store.identity(&shop(), who).await.unwrap(), None, "{who} is gone");
    }
}

/// The note changes nothing else.
pub async fn a_sign_in_is_noted_and_brings_nobody_back<S: ConfigStore + PeopleStore>(store: &S) {
    let ann = member(&shop(), "ann", Role::Owner);
    save(store, ConfigChange::Shop, 1).await;
    save(store, ConfigChange::Member(ann.clone()), 2).await;
    store.note_sign_in(&ann, seconds(7)).await.unwrap();
    let came = Member { signed_in_at: Some(seconds(7)), ..ann };
    assert_eq!(store.members(&shop()).await.unwrap(), from_ref(&came));
    assert_eq!(store.memberships(&came.person).await.unwrap(), from_ref(&came));
    assert_eq!(store.settings(&shop()).await.unwrap().unwrap().config_version, 2);
    // An edit that was begun before must not take the note away.
    let edit =
        |was: &Member| ConfigChange::Member(Member { name: "Anna".to_owned(), version: 2, ..was.clone() });
    let late = store.save(&edit(&Member { signed_in_at: None, ..came.clone() }), &settings(&shop(), 3)).await;
    assert!(matches!(late, Err(CommitError::LostRace)), "{late:?}");
    store.save(&edit(&came), &settings(&shop(), 3)).await.unwrap();
    save(store, ConfigChange::NoMember(came.clone()), 4).await;
    store.note_sign_in(&came, seconds(9)).await.unwrap();
    assert_eq!(store.members(&shop()).await.unwrap(), []);
}

/// A member without a mail would wait for it, and a mail without its member leads nowhere.
pub async fn an_invitation_is_kept_with_its_member_or_not_at_all<S>(store: &S)
where
    S: ConfigStore + PeopleStore + AskedMailStore,
{
    let ann = member(&shop(), "ann", Role::Owner);
    let asked = Asked::Invitation { shop: shop(), member: ann.id.clone() };
    let mail = AskedMail::new(MailId::from_body("a").unwrap(), asked, seconds(0));
    let both = ConfigChange::WithMail(Box::new(ConfigChange::Member(ann.clone())), Box::new(mail.clone()));
    save(store, ConfigChange::Shop, 1).await;
    let late = store.save(&both, &settings(&shop(), 1)).await;
    assert!(matches!(late, Err(CommitError::LostRace)));
    assert_eq!(store.members(&shop()).await.unwrap(), []);
    assert_eq!(store.asked_mail(&mail.asker(), &mail.id, seconds(0)).await.unwrap(), None);
    save(store, both, 2).await;
    assert_eq!(store.members(&shop()).await.unwrap(), [ann]);
    assert_eq!(store.asked_mail(&mail.asker(), &mail.id, seconds(0)).await.unwrap(), Some(mail));
}

/// Of two who use a link one comes too late; who only lost the answer does not.
pub async fn a_link_is_used_by_one<S: LinkStore>(store: &S) {
    let link = Link::made("token", &member(&shop(), "ann", Role::Owner), LinkKind::SignIn, seconds(0));
    let used = |by: &str| {
        let by = AttemptId::from_body(by).unwrap();
        Link { used: Some(Used { at: seconds(1), by }), ..link.clone() }
    };
    assert_eq!(store.link(&link.hash).await.unwrap(), None);
    assert!(matches!(store.use_link(&used("a")).await, Err(CommitError::LostRace)), "there is none");
    store.create_link(&link).await.unwrap();
    store.create_link(&link).await.unwrap();
    assert_eq!(store.link(&link.hash).await.unwrap(), Some(link.clone()));
    store.use_link(&used("a")).await.unwrap();
    store.use_link(&used("a")).await.unwrap();
    assert!(matches!(store.use_link(&used("b")).await, Err(CommitError::LostRace)));
    assert_eq!(store.link(&link.hash).await.unwrap(), Some(used("a")));
    assert!(matches!(store.create_link(&link).await, Err(CommitError::LostRace)), "nothing makes it new");
}
