//! People: invited, changed, signed out, removed.

use http::StatusCode;
use stagepost_app::config::create_owner;
use stagepost_app::mail::ports::Asked;
use stagepost_app::people::{ports::PeopleStore, print_link};
use stagepost_app::ports::{ConfigChange, SecretKind, Secrets};
use stagepost_domain::id::MemberId;
use stagepost_domain::member::Member;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::Role;
use stagepost_secrets::LocalSecrets;
use stagepost_testkit::build;
use stagepost_testkit::build::seconds;

use super::World;

const PEOPLE: &str = "/settings/people";
const INVITE: &str = "/settings/people/invite";

fn secrets() -> LocalSecrets {
    LocalSecrets::from_key([7; 32]).unwrap()
}

/// Somebody of the demo shop.
async fn person(world: &World, name: &str, role: Role) -> Member {
    let shop = build::shop();
    let address = format!("{name}@people.test");
    let email = secrets().seal((&shop).into(), SecretKind::MemberAddress, &address).await.unwrap();
    let member = Member { email, ..build::member(&shop, name, role) };
    world.save(&shop, ConfigChange::Member(member.clone())).await;
    member
}

/// The demo shop as its only owner sees it, who is a person and came by a link.
async fn as_owner() -> (World, MemberId) {
    let world = World::outside();
    world.configured(&build::shop(), |_| {}).await;
    let (key, whom) = (SearchKey::of_deployment(&[7; 32]), ("kim@shop.test", "Kim"));
    let kim = create_owner(&world.core, &secrets(), &key, &build::shop(), whom).await.unwrap();
    let link = print_link(&world.core, &kim).await.unwrap();
    assert_eq!(world.post_as_it_is(&format!("/sign-in/{link}"), &[]).await.to(), "/");
    (world, kim.id)
}

async fn member(world: &World, id: &MemberId) -> Option<Member> {
    world.store.member(&build::shop(), id).await.unwrap()
}

fn path(id: &MemberId) -> String {
    format!("{PEOPLE}/{id}")
}

#[tokio::test]
async fn the_list_says_who_came_who_did_not_and_who_one_is() {
    let (world, kim) = as_owner().await;
    person(&world, "ann", Role::Viewer).await;
    let ben = person(&world, "ben", Role::Member).await;
    world.store.note_sign_in(&ben, seconds(-86_400)).await.unwrap();
    let seen = world.get(PEOPLE).await;
    assert!(seen.says("kim@shop.test") && seen.says("ann@people.test") && seen.says("<td>viewer</td>"));
    assert!(seen.says("28 Feb 2026, 10:00 UTC"));
    assert_eq!(seen.body.matches("Invited, not yet signed in").count(), 1, "ann alone");
    assert_eq!(seen.body.matches("<span class=\"tag\">you</span>").count(), 1);
    assert_eq!(seen.body.matches("Invite again").count(), 1, "who came needs no invitation");
    assert!(seen.says(&path(&kim)));
}

#[tokio::test]
async fn whoever_only_works_here_reads_nobodys_address() {
    let world = World::new().await;
    person(&world, "ann", Role::Viewer).await;
    for role in [Role::Viewer, Role::Member] {
        world.sign_in(&build::shop(), role).await;
        let seen = world.get(PEOPLE).await;
        assert!(seen.says("ann") && seen.says("<td>viewer</td>"), "{role:?}");
        assert!(!seen.says("@people.test") && !seen.says("Invited"), "{role:?}");
    }
    world.sign_in(&build::shop(), Role::Admin).await;
    assert!(world.get(PEOPLE).await.says("ann@people.test"));
}

#[tokio::test]
async fn an_empty_list_says_what_an_invitation_is() {
    let world = World::new().await;
    let seen = world.get(PEOPLE).await;
    assert!(seen.says("Nobody is invited yet") && seen.says("Invite somebody"));
}

#[tokio::test]
async fn somebody_is_invited_by_one_mail_however_often_the_form_is_sent() {
    let world = World::new().await;
    let page = world.get(INVITE).await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let keys = [("csrf", csrf.as_str()), ("once", once.as_str())];
    let whom = [("email", "ann@shop.test"), ("name", "Ann"), ("role", "admin")];
    let sent = [&keys[..], &whom].concat();
    for _ in 0..2 {
        assert_eq!(world.post_as_it_is(INVITE, &sent).await.to(), PEOPLE);
    }
    let members = world.store.members(&build::shop()).await.unwrap();
    assert_eq!(
        members.iter().map(|one| (one.name.as_str(), one.role)).collect::<Vec<_>>(),
        [("Ann", Role::Admin)]
    );
    let asked: Vec<_> = world.store.asked_mails().into_iter().map(|mail| mail.asked).collect();
    assert_eq!(asked, [Asked::Invitation { shop: build::shop(), member: members[0].id.clone() }]);
    assert!(world.get(PEOPLE).await.says("Ann is invited"));
    let again = format!("{}/invite", path(&members[0].id));
    assert_eq!(world.post(&again, &[]).await.to(), PEOPLE);
    assert_eq!(world.store.asked_mails().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_an_invitation_is_said_at_its_field_and_mails_nobody() {
    let world = World::with(Role::Admin, |_| {}).await;
    assert!(!world.get(INVITE).await.says("value=\"owner\""), "no role above one's own");
    for (email, name, role, says) in [
        ("ann", "Ann", "member", "E-mail address must be an e-mail address"),
        ("ann@shop.test", "", "member", "Name must"),
        ("ann@shop.test", "Ann", "king", "Role must be one of these"),
    ] {
        let seen = world.post(INVITE, &[("email", email), ("name", name), ("role", role)]).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{says}");
        assert!(seen.says(says) && seen.says(&format!("value=\"{email}\"")), "{says}: {}", seen.body);
    }
    let ann = [("email", "ann@shop.test"), ("name", "Ann"), ("role", "owner")];
    assert_eq!(world.post(INVITE, &ann).await.status, StatusCode::FORBIDDEN);
    assert!(world.store.members(&build::shop()).await.unwrap().is_empty());
    assert!(world.store.asked_mails().is_empty());
    let ann = [("email", "ann@shop.test"), ("name", "Ann"), ("role", "member")];
    world.post(INVITE, &ann).await;
    assert!(world.post(INVITE, &ann).await.says("is a member&#39;s already"));
}

#[tokio::test]
async fn who_is_invited_too_often_is_not_and_the_page_says_so() {
    let world = World::new().await;
    let again = format!("{}/invite", path(&person(&world, "ann", Role::Member).await.id));
    for _ in 0..5 {
        assert_eq!(world.post(&again, &[]).await.to(), PEOPLE);
    }
    let seen = world.post(&again, &[]).await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(seen.says("Too many invitations") && seen.says("Try again in an hour"));
    assert_eq!(world.store.asked_mails().len(), 5);
}

#[tokio::test]
async fn name_and_role_are_changed_unless_somebody_else_did_meanwhile() {
    let world = World::new().await;
    let ann = person(&world, "ann", Role::Viewer).await.id;
    let page = world.get(&path(&ann)).await;
    assert!(page.says("value=\"viewer\" selected"));
    let change = |name, role, version| [("name", name), ("role", role), ("version", version)];
    assert_eq!(world.post(&path(&ann), &change("Ann B.", "admin", "1")).await.to(), PEOPLE);
    let now = member(&world, &ann).await.unwrap();
    assert_eq!((now.name.as_str(), now.role, now.version), ("Ann B.", Role::Admin, 2));
    let late = world.post(&path(&ann), &change("Ann C.", "viewer", "1")).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.says("value=\"Ann C.\"") && late.says("Somebody else changed this person"));
    assert_eq!(late.value("version"), "2");
    let nameless = world.post(&path(&ann), &change(" ", "viewer", "2")).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    let odd = world.post(&path(&ann), &change("Ann", "king", "2")).await;
    assert!(odd.says("Role must be one of these"));
    assert_eq!(member(&world, &ann).await, Some(now));
}

#[tokio::test]
async fn the_last_owner_is_neither_removed_nor_lowered_and_the_page_says_why() {
    let (world, kim) = as_owner().await;
    person(&world, "new", Role::Owner).await;
    let lower = [("name", "Kim"), ("role", "admin"), ("version", &*version(&world, &kim).await)];
    let remove = format!("{}/remove", path(&kim));
    for seen in
        [world.get(&remove).await, world.post(&remove, &[]).await, world.post(&path(&kim), &lower).await]
    {
        assert_eq!(seen.status, StatusCode::CONFLICT);
        assert!(seen.says("This is the last owner") && seen.says("has not signed in yet does not count"));
    }
    assert_eq!(member(&world, &kim).await.map(|kim| kim.role), Some(Role::Owner));
}

async fn version(world: &World, id: &MemberId) -> String {
    member(world, id).await.unwrap().version.to_string()
}

#[tokio::test]
async fn who_is_removed_is_gone_after_a_page_that_says_what_that_does() {
    let world = World::new().await;
    let ann = person(&world, "ann", Role::Admin).await.id;
    let remove = format!("{}/remove", path(&ann));
    let asked = world.get(&remove).await;
    assert!(asked.says("Remove ann?") && asked.says("API keys that they know still work"));
    assert!(member(&world, &ann).await.is_some(), "asking does nothing");
    let stale = world.post(&remove, &[("version", "7")]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "it was another page that was read");
    assert_eq!(world.post(&remove, &[("version", &asked.value("version"))]).await.to(), PEOPLE);
    assert_eq!(member(&world, &ann).await, None);
    for seen in [world.get(&remove).await, world.post(&remove, &[]).await, world.get(&path(&ann)).await] {
        assert_eq!(seen.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_sign_out_everywhere_ends_ones_own_session_too() {
    let (world, kim) = as_owner().await;
    let ann = person(&world, "ann", Role::Admin).await;
    let out = format!("{}/sign-out", path(&ann.id));
    assert!(!world.get(&out).await.says("This is you"));
    assert_eq!(world.post(&out, &[]).await.to(), PEOPLE);
    assert!(member(&world, &ann.id).await.unwrap().sessions_from > ann.sessions_from);
    let out = format!("{}/sign-out", path(&kim));
    assert!(world.get(&out).await.says("This is you"));
    assert_eq!(world.get(PEOPLE).await.status, StatusCode::OK, "asking does nothing");
    assert_eq!(world.post(&out, &[]).await.to(), "/sign-in");
    assert_eq!(world.get(PEOPLE).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn whoever_only_looks_signs_out_themselves_and_nobody_else() {
    let (world, kim) = as_owner().await;
    let ann = person(&world, "ann", Role::Viewer).await.id;
    let low = Member { role: Role::Viewer, ..member(&world, &kim).await.unwrap() };
    world.save(&build::shop(), ConfigChange::Member(low)).await;
    let out = format!("{}/sign-out", path(&ann));
    for seen in [world.get(&out).await, world.post(&out, &[]).await] {
        assert_eq!(seen.status, StatusCode::FORBIDDEN);
    }
    assert!(world.get(PEOPLE).await.says("Sign out everywhere…"));
    assert_eq!(world.post(&format!("{}/sign-out", path(&kim)), &[]).await.to(), "/sign-in");
}

#[tokio::test]
async fn another_shop_sees_none_of_it_and_a_low_role_changes_none() {
    let world = World::new().await;
    let ann = person(&world, "ann", Role::Owner).await;
    let sub = |way: &str| format!("{}{way}", path(&ann.id));
    let change = [("name", "x"), ("role", "viewer"), ("version", "1")];
    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    assert!(!world.get(PEOPLE).await.says("ann"));
    for way in ["", "/sign-out", "/remove"] {
        assert_eq!(world.get(&sub(way)).await.status, StatusCode::NOT_FOUND, "{way}");
    }
    for way in ["", "/sign-out", "/remove", "/invite"] {
        assert_eq!(world.post(&sub(way), &change).await.status, StatusCode::NOT_FOUND, "{way}");
    }
    // An owner is above an admin, and everything is above a member.
    for role in [Role::Admin, Role::Member] {
        world.sign_in(&build::shop(), role).await;
        for way in ["", "/sign-out", "/remove"] {
            assert_eq!(world.get(&sub(way)).await.status, StatusCode::FORBIDDEN, "{role:?} {way}");
        }
        for way in ["", "/sign-out", "/remove", "/invite"] {
            assert_eq!(world.post(&sub(way), &change).await.status, StatusCode::FORBIDDEN, "{role:?} {way}");
        }
    }
    assert_eq!(world.get(INVITE).await.status, StatusCode::FORBIDDEN);
    let whom = [("email", "b@shop.test"), ("name", "B"), ("role", "viewer")];
    assert_eq!(world.post(INVITE, &whom).await.status, StatusCode::FORBIDDEN);
    world.sign_in(&build::shop(), Role::Viewer).await;
    let seen = world.get(PEOPLE).await;
    assert!(seen.status.is_success() && seen.says("ann") && !seen.says("Remove…") && !seen.says(">Edit<"));
    assert_eq!(member(&world, &ann.id).await, Some(ann));
    assert!(world.store.asked_mails().is_empty());
}

#[tokio::test]
async fn a_name_is_text_wherever_it_stands() {
    let world = World::new().await;
    let ann = person(&world, "ann", Role::Viewer).await;
    let evil = Member { name: "<script>alert(1)</script>".to_owned(), ..ann };
    world.save(&build::shop(), ConfigChange::Member(evil.clone())).await;
    let at = path(&evil.id);
    for path in [PEOPLE, &at, &format!("{at}/sign-out"), &format!("{at}/remove")] {
        let seen = world.get(path).await;
        assert!(seen.status.is_success() && !seen.says("<script>alert"), "{path}");
    }
}
