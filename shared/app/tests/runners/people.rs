//! People: how they come in, and how they are out.

use stagepost_app::Core;
use stagepost_app::config::{
    ConfigError, MemberError, MemberInput, MemberPatch, create_key, create_owner, create_shop, invite,
    invite_again, remove_member, revoke_key, sign_out_member, update_member,
};
use stagepost_app::mail::PostOffice;
use stagepost_app::mail::asked::{AskedError, send, wait};
use stagepost_app::mail::ports::{Asked, AskedMail, AskedMailStore, AskedState, Asker};
use stagepost_app::people::ports::PeopleStore;
use stagepost_app::people::{
    NoEntry, RedeemError, Session, Visitor, Who, ask_sign_in, look_at_link, other_shops, print_link, redeem,
    sign_in_with_key, switch, visitor,
};
use stagepost_app::ports::{ActError, ConfigStore};
use stagepost_domain::event::Actor;
use stagepost_domain::id::{MailId, PersonId};
use stagepost_domain::member::Member;
use stagepost_domain::pace::Pace;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::{MailMode, Role, Sealed};
use stagepost_testkit::{MemoryStore, build};

use super::far_end::{OpenVault, Take, UNOPENABLE};
use super::wire::done;
use super::world::{Links, World};

fn key() -> SearchKey {
    build::office(Links).addresses
}

fn input(email: &str, role: Role) -> MemberInput {
    MemberInput { email: email.to_owned(), name: "Ann".to_owned(), role }
}

fn core(world: &World) -> &Core<MemoryStore> {
    &world.plain
}

fn invited(world: &World, email: &str, role: Role) -> Result<Member, MemberError> {
    let by = (Role::Owner, build::program());
    done(invite(core(world), &OpenVault, &key(), &build::shop(), by, &input(email, role)))
}

/// Sends what waits with whoever asks, by what the store holds; gives how each mail stands.
fn runner(world: &World, office: &PostOffice<Links>) -> Vec<AskedMail> {
    let waiting = world.store.asked_mails();
    let waiting = waiting.iter().filter(|mail| mail.state == AskedState::Pending);
    let sent = waiting.map(|mail| sent(world, office, &mail.asker(), &mail.id).unwrap());
    sent.flatten().collect()
}

fn sent(
    world: &World,
    office: &PostOffice<Links>,
    asker: &Asker,
    id: &MailId,
) -> Result<Option<AskedMail>, AskedError> {
    done(send(core(world), &OpenVault, &world.provider, office, asker, id))
}

fn mailed(world: &World) -> Vec<AskedState> {
    runner(world, &build::office(Links)).into_iter().map(|mail| mail.state).collect()
}

/// The token of the link in the last mail.
fn token(world: &World) -> String {
    let mail = world.provider.sent().pop().unwrap();
    let text = mail.text.unwrap();
    let link =
        text.split_whitespace().find(|word| word.starts_with("https://console.test/sign-in/")).unwrap();
    assert!(mail.html.unwrap().contains(link));
    link.rsplit('/').next().unwrap().to_owned()
}

fn no_entry(result: Result<(Session, Member), RedeemError>) -> NoEntry {
    match result {
        Err(RedeemError::NoEntry(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn seen(world: &World, session: &Session) -> Option<Visitor> {
    done(visitor(core(world), session.clone())).unwrap()
}

#[test]
fn law_19_an_invitation_is_mailed_once_and_its_link_is_nowhere_but_in_the_mail() {
    let world = World::new();
    let member = invited(&world, "Ann@People.test", Role::Admin).unwrap();
    assert_eq!(member.invited_by, Some(build::program()));
    let waiting = world.store.asked_mails();
    let Asked::Invitation { member: who, .. } = &waiting[0].asked else { panic!("{waiting:?}") };
    assert_eq!(who, &member.id);
    assert_eq!(mailed(&world), [AskedState::Sent]);
    assert_eq!(mailed(&world), [], "nothing is sent twice");
    let mail = world.provider.sent().pop().unwrap();
    assert_eq!((mail.to.as_str(), mail.from.as_str()), ("Ann@People.test", "Demo Shop <orders@shop.test>"));
    let token = token(&world);
    assert!(token.len() >= 22, "128 bits at least");
    let stored = format!("{:?}", (world.store.asked_mails(), world.store.members_and_links()));
    assert!(!stored.contains(&token));
    assert_eq!(done(look_at_link(core(&world), &token)).unwrap(), member, "a look uses nothing up");
    let (session, came) = done(redeem(core(&world), &token)).unwrap();
    assert_eq!((&came, &session.who), (&member, &Who::Member(member.id.clone())));
    let noted = done(core(&world).store.member(&build::shop(), &member.id)).unwrap().unwrap();
    assert_eq!(noted.signed_in_at, Some(core(&world).now()));
    assert_eq!(no_entry(done(redeem(core(&world), &token))), NoEntry::Used);
    let visitor = seen(&world, &session).unwrap();
    assert_eq!(
        (visitor.role, visitor.name.as_str(), visitor.settings.name.as_str()),
        (Role::Admin, "Ann", "Demo Shop")
    );
    let actor = Actor::Console { name: "Ann".to_owned(), by: Some(Who::Member(member.id)) };
    assert_eq!(visitor.actor, actor);
}

#[test]
fn a_link_has_its_time_and_a_token_that_nobody_made_opens_nothing() {
    let world = World::new();
    invited(&world, "ann@people.test", Role::Viewer).unwrap();
    mailed(&world);
    let invitation = token(&world);
    world.clock.advance(jiff_hours(7 * 24 - 1));
    done(look_at_link(core(&world), &invitation)).unwrap();
    world.clock.advance(jiff_hours(1));
    assert_eq!(no_entry(done(redeem(core(&world), &invitation))), NoEntry::Expired);
    done(ask_sign_in(core(&world), &key(), " ANN@people.test")).unwrap();
    mailed(&world);
    let link = token(&world);
    world.clock.advance(stagepost_domain::SignedDuration::from_mins(15));
    assert_eq!(no_entry(done(redeem(core(&world), &link))), NoEntry::Expired);
    for nobodys in ["", "x", &link[1..], &"a".repeat(1_000)] {
        assert_eq!(no_entry(done(redeem(core(&world), nobodys))), NoEntry::Unknown);
    }
}

fn jiff_hours(hours: i64) -> stagepost_domain::SignedDuration {
    stagepost_domain::SignedDuration::from_hours(hours)
}

#[test]
fn an_unknown_address_is_asked_for_like_a_known_one_and_gets_nothing() {
    let world = World::new();
    let writes = |email: &str| {
        let before = world.store.writes();
        done(ask_sign_in(core(&world), &key(), email)).unwrap();
        world.store.writes() - before
    };
    invited(&world, "ann@people.test", Role::Viewer).unwrap();
    mailed(&world);
    let sent = world.provider.sent().len();
    assert_eq!(writes("nobody@people.test"), writes("ann@people.test"), "the same work");
    mailed(&world);
    let mails = world.provider.sent();
    assert_eq!((mails.len() - sent, mails[sent].to.as_str()), (1, "ann@people.test"));
    let unknown = key().person("nobody@people.test").unwrap();
    assert!(!format!("{:?}", world.store.asked_mails()).contains("people.test"), "no address is kept");
    let of_unknown =
        world.store.asked_mails().into_iter().find(|m| m.asker() == Asker::Person(unknown.clone()));
    assert!(matches!(of_unknown.unwrap().state, AskedState::Failed { .. }));
    done(ask_sign_in(core(&world), &key(), "no address")).unwrap_err();
}

#[test]
fn an_address_gets_five_links_an_hour_whoever_asks_and_the_answer_stays_the_same() {
    let world = World::new();
    let member = invited(&world, "ann@people.test", Role::Viewer).unwrap();
    for _ in 0..9 {
        done(ask_sign_in(core(&world), &key(), "ann@people.test")).unwrap();
    }
    mailed(&world);
    assert_eq!(world.provider.sent().len(), 5);
    let again = done(invite_again(core(&world), &build::shop(), Role::Owner, &member.id));
    assert!(matches!(again, Err(MemberError::TooMany)));
    world.clock.advance(jiff_hours(1));
    done(invite_again(core(&world), &build::shop(), Role::Owner, &member.id)).unwrap();
    mailed(&world);
    assert_eq!(world.provider.sent().len(), 6);
}

#[test]
fn a_shop_mails_only_so_many_invitations_an_hour() {
    let world = World::new();
    for n in 0..30 {
        invited(&world, &format!("p{n}@people.test"), Role::Viewer).unwrap();
    }
    assert!(matches!(invited(&world, "p30@people.test", Role::Viewer), Err(MemberError::TooMany)));
    world.clock.advance(jiff_hours(1));
    invited(&world, "p30@people.test", Role::Viewer).unwrap();
}

#[test]
fn a_link_comes_whatever_the_shops_mails_do_and_keeps_to_the_senders_line() {
    let world = World::new();
    let paused = |settings: &mut stagepost_domain::shop::Settings| settings.mail.mode = MailMode::Paused;
    world.save_with(stagepost_app::ports::ConfigChange::Shop, paused);
    for name in ["a", "b", "c"] {
        invited(&world, &format!("{name}@people.test"), Role::Viewer).unwrap();
    }
    let office = PostOffice { pace: Pace::per_second(1), ..build::office(Links) };
    let waits = |mails: &[AskedMail]| -> Vec<Option<i64>> {
        mails.iter().map(|mail| wait(core(&world), mail).map(|wait| wait.as_secs())).collect()
    };
    assert_eq!(waits(&runner(&world, &office)), [None, Some(1), Some(2)]);
    assert_eq!(waits(&runner(&world, &office)), [Some(1), Some(2)], "who comes early keeps the place");
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(2));
    assert_eq!(waits(&runner(&world, &office)), [None, None]);
    assert_eq!(world.provider.sent().len(), 3);
}

#[test]
fn law_11_a_link_whose_mail_is_in_doubt_is_not_mailed_again() {
    let world = World::new();
    invited(&world, "ann@people.test", Role::Viewer).unwrap();
    world.provider.then(Take::Fails(ActError::ambiguous("no answer")));
    assert_eq!(mailed(&world), [AskedState::Sending], "nobody knows whether it left");
    assert_eq!(mailed(&world), []);
    assert_eq!(world.provider.sent().len(), 1);
}

#[test]
fn a_link_waits_while_the_provider_takes_nothing_yet_and_is_mailed_once() {
    let world = World::new();
    invited(&world, "ann@people.test", Role::Viewer).unwrap();
    world.provider.then(Take::TooFast);
    let office = build::office(Links);
    let waits = runner(&world, &office);
    assert_eq!(wait(core(&world), &waits[0]).map(|wait| wait.as_secs()), Some(5));
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(5));
    assert_eq!(mailed(&world), [AskedState::Sent]);
    assert_eq!(mailed(&world), []);
}

#[test]
fn an_address_that_cannot_be_opened_or_whose_member_is_gone_gets_nothing() {
    let world = World::new();
    let gone = invited(&world, "gone@people.test", Role::Viewer).unwrap();
    done(remove_member(core(&world), &build::shop(), Role::Owner, &gone.id, None)).unwrap();
    let lost = invited(&world, "lost@people.test", Role::Viewer).unwrap();
    let email = Sealed(UNOPENABLE.to_owned());
    world.save(stagepost_app::ports::ConfigChange::Member(Member { email, ..lost }));
    let states = mailed(&world);
    assert!(
        matches!(states.as_slice(), [AskedState::Failed { .. }, AskedState::Failed { .. }]),
        "{states:?}"
    );
    assert!(world.provider.sent().is_empty());
}

/// A member who has come, with their session.
fn signed_in(world: &World, email: &str, role: Role) -> (Session, Member) {
    let by = (email, "Ann");
    let made = done(create_owner(core(world), &OpenVault, &key(), &build::shop(), by)).unwrap();
    let token = done(print_link(core(world), &made)).unwrap();
    let came = done(redeem(core(world), &token)).unwrap();
    let patch = MemberPatch { name: None, role: Some(role) };
    done(update_member(core(world), &build::shop(), Role::Owner, &made.id, &patch, None)).unwrap();
    came
}

#[test]
fn whoever_is_out_is_out_with_the_next_request() {
    let world = World::new();
    let shop = build::shop();
    done(create_key(core(&world), &shop, "spare", Role::Owner)).unwrap();
    let (session, ann) = signed_in(&world, "ann@people.test", Role::Admin);
    assert_eq!(seen(&world, &session).unwrap().role, Role::Admin);
    let lower = MemberPatch { name: Some("Anna".to_owned()), role: Some(Role::Viewer) };
    done(update_member(core(&world), &shop, Role::Owner, &ann.id, &lower, None)).unwrap();
    let visitor = seen(&world, &session).unwrap();
    assert_eq!((visitor.role, visitor.name.as_str()), (Role::Viewer, "Anna"));

    let open = done(print_link(core(&world), &ann)).unwrap();
    done(sign_out_member(core(&world), &shop, Role::Viewer, &ann.id, true)).unwrap();
    assert_eq!(seen(&world, &session), None);
    assert_eq!(no_entry(done(redeem(core(&world), &open))), NoEntry::SignedOut);
    let ann = done(core(&world).store.member(&shop, &ann.id)).unwrap().unwrap();
    let fresh = done(print_link(core(&world), &ann)).unwrap();
    let (session, _) = done(redeem(core(&world), &fresh)).unwrap();
    assert!(seen(&world, &session).is_some());

    let open = done(print_link(core(&world), &ann)).unwrap();
    done(remove_member(core(&world), &shop, Role::Owner, &ann.id, None)).unwrap();
    assert_eq!(seen(&world, &session), None);
    assert_eq!(no_entry(done(redeem(core(&world), &open))), NoEntry::NoMember);
}

#[test]
fn a_session_is_of_one_shop_and_ends_by_itself() {
    let world = World::new();
    let (session, _) = signed_in(&world, "ann@people.test", Role::Owner);
    let elsewhere = Session { shop: build::other_shop(), ..session.clone() };
    assert_eq!(seen(&world, &elsewhere), None);
    world.clock.advance(jiff_hours(12));
    assert_eq!(seen(&world, &session), None);
}

#[test]
fn a_key_signs_in_until_it_is_revoked() {
    let world = World::new();
    let shop = build::shop();
    done(create_key(core(&world), &shop, "spare", Role::Owner)).unwrap();
    let (made, token) = done(create_key(core(&world), &shop, "desk", Role::Member)).unwrap();
    let (session, key) = done(sign_in_with_key(core(&world), &format!(" {token} "))).unwrap().unwrap();
    assert_eq!((&session.who, &key.id), (&Who::Key(made.id.clone()), &made.id));
    let visitor = seen(&world, &session).unwrap();
    assert_eq!((visitor.role, visitor.name.as_str()), (Role::Member, "desk"));
    assert!(matches!(visitor.actor, Actor::Console { by: Some(Who::Key(_)), .. }));
    let used = done(core(&world).store.api_keys(&shop)).unwrap();
    assert!(used.iter().any(|key| key.id == made.id && key.last_used_at.is_some()), "its use is noted");
    done(revoke_key(core(&world), &shop, Role::Owner, &made.id)).unwrap();
    assert_eq!(seen(&world, &session), None);
    for wrong in ["", "sp_x", &"s".repeat(1_000)] {
        assert_eq!(done(sign_in_with_key(core(&world), wrong)).unwrap(), None);
    }
}

#[test]
fn the_last_owner_stays_be_it_a_key_or_a_member() {
    let world = World::new();
    let shop = build::shop();
    let (key, _) = done(create_key(core(&world), &shop, "owner", Role::Owner)).unwrap();
    invited(&world, "new@people.test", Role::Owner).unwrap();
    let revoke = || done(revoke_key(core(&world), &shop, Role::Owner, &key.id));
    assert!(matches!(revoke(), Err(ConfigError::LastOwner)), "who never came cannot be counted on");
    let (_, ann) = signed_in(&world, "ann@people.test", Role::Owner);
    revoke().unwrap();
    let remove = done(remove_member(core(&world), &shop, Role::Owner, &ann.id, None));
    assert!(matches!(remove, Err(ConfigError::LastOwner)));
    let lower = MemberPatch { name: None, role: Some(Role::Admin) };
    let lowered = done(update_member(core(&world), &shop, Role::Owner, &ann.id, &lower, None));
    assert!(matches!(lowered, Err(ConfigError::LastOwner)));
    done(create_key(core(&world), &shop, "owner", Role::Owner)).unwrap();
    done(update_member(core(&world), &shop, Role::Owner, &ann.id, &lower, None)).unwrap();
}

#[test]
fn nobody_reaches_above_their_role_and_an_address_is_a_member_once() {
    let world = World::new();
    let shop = build::shop();
    let owner = invited(&world, "ann@people.test", Role::Owner).unwrap();
    let by = (Role::Admin, build::program());
    let above =
        done(invite(core(&world), &OpenVault, &key(), &shop, by, &input("b@people.test", Role::Owner)));
    assert!(matches!(above, Err(MemberError::Config(ConfigError::AboveRole))));
    let patch = MemberPatch { name: Some("Eve".to_owned()), role: None };
    let renamed = done(update_member(core(&world), &shop, Role::Admin, &owner.id, &patch, None));
    assert!(matches!(renamed, Err(ConfigError::AboveRole)));
    let out = done(sign_out_member(core(&world), &shop, Role::Admin, &owner.id, false));
    assert!(matches!(out, Err(ConfigError::AboveRole)));
    let again = done(invite_again(core(&world), &shop, Role::Admin, &owner.id));
    assert!(matches!(again, Err(MemberError::Config(ConfigError::AboveRole))));
    let removed = done(remove_member(core(&world), &shop, Role::Admin, &owner.id, None));
    assert!(matches!(removed, Err(ConfigError::AboveRole)));
    let twice = invited(&world, "ANN@people.test", Role::Viewer).unwrap_err();
    assert!(matches!(&twice, MemberError::Config(ConfigError::Invalid(wrong)) if wrong[0].field == "email"));
    let stale = done(update_member(core(&world), &shop, Role::Owner, &owner.id, &patch, Some(7)));
    assert!(matches!(stale, Err(ConfigError::Stale { version: 1 })));
}

#[test]
fn who_asks_has_a_mail_from_the_shop_that_they_came_to_last() {
    let world = World::new();
    let other = build::other_shop();
    let (_, ann) = signed_in(&world, "ann@people.test", Role::Owner);
    done(create_shop(core(&world), &other, "Other", "hello@other.test")).unwrap();
    world.clock.advance(jiff_hours(2));
    let by = ("ann@people.test", "Ann");
    let there = done(create_owner(core(&world), &OpenVault, &key(), &other, by)).unwrap();
    assert_eq!(there.person, ann.person);
    done(ask_sign_in(core(&world), &key(), "ann@people.test")).unwrap();
    mailed(&world);
    assert_eq!(world.provider.sent().pop().unwrap().subject, "Sign in to Demo Shop");
    done(redeem(core(&world), &done(print_link(core(&world), &there)).unwrap())).unwrap();
    world.clock.advance(jiff_hours(1));
    done(ask_sign_in(core(&world), &key(), "ann@people.test")).unwrap();
    mailed(&world);
    let mail = world.provider.sent().pop().unwrap();
    assert_eq!((mail.subject.as_str(), mail.from.as_str()), ("Sign in to Other", "Other <hello@other.test>"));
    let person: PersonId = ann.person;
    assert_eq!(done(core(&world).store.memberships(&person)).unwrap().len(), 2);
    let asker = Asker::Shop(build::shop());
    let nothing =
        done(core(&world).store.asked_mail(&asker, &MailId::from_body("x").unwrap(), core(&world).now()));
    assert_eq!(nothing.unwrap(), None);
}

#[test]
fn whoever_works_with_two_shops_goes_from_one_to_the_other_unless_signed_out_there() {
    let world = World::new();
    let (here, there) = (build::shop(), build::other_shop());
    let (session, ann) = signed_in(&world, "ann@people.test", Role::Owner);
    let first = seen(&world, &session).unwrap();
    let shops = |visitor: &Visitor| -> Vec<String> {
        done(other_shops(core(&world), visitor)).unwrap().into_iter().map(|shop| shop.name).collect()
    };
    let go = |visitor: &Visitor, shop| done(switch(core(&world), visitor, shop)).unwrap();
    done(create_shop(core(&world), &there, "Other", "hello@other.test")).unwrap();
    assert_eq!((shops(&first), go(&first, &there), go(&first, &here)), (vec![], None, None));
    let twin = done(create_owner(core(&world), &OpenVault, &key(), &there, ("ann@people.test", "Ann")));
    let twin = twin.unwrap();
    assert_eq!(shops(&first), ["Other"]);
    let session = go(&first, &there).unwrap();
    let second = seen(&world, &session).unwrap();
    assert_eq!((&second.shop, second.role, second.person.as_ref()), (&there, Role::Owner, Some(&ann.person)));
    assert_ne!(session.id, first.session.id);
    let noted = done(core(&world).store.member(&there, &twin.id)).unwrap().unwrap();
    assert!(noted.signed_in_at.is_some());
    done(sign_out_member(core(&world), &there, Role::Owner, &twin.id, false)).unwrap();
    assert_eq!((seen(&world, &session), go(&first, &there)), (None, None));
    assert_eq!(seen(&world, &first.session), Some(first.clone()));
    let by_key = done(create_key(core(&world), &here, "desk", Role::Owner)).unwrap().1;
    let (by_key, _) = done(sign_in_with_key(core(&world), &by_key)).unwrap().unwrap();
    assert_eq!(shops(&seen(&world, &by_key).unwrap()), Vec::<String>::new(), "a key is of its shop");
}
