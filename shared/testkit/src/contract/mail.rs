//! Laws of what mails need beside runs.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::mail::ports::{
    Asked, AskedMail, AskedMailStore, AskedState, Asker, Counted, Hourly, Line, PaceStore, SuppressionStore,
    TallyStore, Trial,
};
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_domain::governor::Tally;
use stagepost_domain::id::{AttemptId, MailId, MemberId, PersonId, ShopId, SuppressionId};
use stagepost_domain::shop::Sealed;
use stagepost_domain::suppression::{Because, Suppression};

use crate::build::{other_shop, seconds, shop, template_id};

fn suppression(shop: &ShopId, name: &str, because: Because) -> Suppression {
    Suppression {
        id: SuppressionId::from_body(name).unwrap(),
        shop: shop.clone(),
        address: Sealed("sealed".to_owned()),
        because,
        since: seconds(1),
        run: None,
    }
}

/// An address is put aside once, for its first reason, in one shop; taken away it is gone.
pub async fn an_address_is_suppressed_in_one_shop_for_its_first_reason<S: SuppressionStore>(store: &S) {
    let first = suppression(&shop(), "a", Because::HardBounce);
    assert_eq!(store.suppress(&first).await.unwrap(), first);
    let again = suppression(&shop(), "a", Because::Complaint);
    assert_eq!(store.suppress(&again).await.unwrap(), first);
    assert_eq!(store.suppression(&shop(), &first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.suppression(&other_shop(), &first.id).await.unwrap(), None);
    store.unsuppress(&other_shop(), &first.id).await.unwrap();
    assert!(store.suppression(&shop(), &first.id).await.unwrap().is_some());
    store.unsuppress(&shop(), &first.id).await.unwrap();
    store.unsuppress(&shop(), &first.id).await.unwrap();
    assert_eq!(store.suppression(&shop(), &first.id).await.unwrap(), None);
}

/// A shop's suppressed addresses are paged, and only its own.
pub async fn suppressed_addresses_are_paged_by_shop<S: SuppressionStore>(store: &S) {
    for name in ["a", "b", "c"] {
        store.suppress(&suppression(&shop(), name, Because::ByHand)).await.unwrap();
    }
    store.suppress(&suppression(&other_shop(), "d", Because::ByHand)).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.suppressions(&shop(), cursor.as_deref(), 2).await.unwrap();
        seen.extend(page.items.into_iter().map(|s| s.id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["sup_a", "sup_b", "sup_c"]);
    let bad = store.suppressions(&shop(), Some("nonsense"), 2).await;
    assert!(matches!(bad, Err(StoreError::Corrupt { .. })));
}

/// A place in a line is taken by one; who comes late is told where the line ends.
pub async fn a_place_in_line_is_taken_by_one<S: PaceStore>(store: &S) {
    let at = seconds;
    assert_eq!(store.move_line("a", None, at(0), at(1)).await.unwrap(), Line::Moved);
    assert_eq!(store.move_line("a", None, at(0), at(1)).await.unwrap(), Line::At(at(1)));
    assert_eq!(store.move_line("a", Some(at(1)), at(0), at(2)).await.unwrap(), Line::Moved);
    assert_eq!(store.move_line("a", Some(at(1)), at(0), at(2)).await.unwrap(), Line::At(at(2)));
    assert_eq!(store.move_line("b", None, at(0), at(1)).await.unwrap(), Line::Moved);
    assert_eq!(store.move_line("a", None, at(2), at(3)).await.unwrap(), Line::Moved, "idle again");
}

/// Outcomes are counted by shop and week.
pub async fn outcomes_are_counted_by_week<S: TallyStore>(store: &S) {
    let tally = |known, bounced, complained| Tally { known, bounced, complained };
    assert_eq!(store.count_fate(&shop(), 3, Counted::Delivered).await.unwrap(), tally(1, 0, 0));
    assert_eq!(store.count_fate(&shop(), 3, Counted::Bounced).await.unwrap(), tally(2, 1, 0));
    assert_eq!(store.count_fate(&shop(), 3, Counted::Complained).await.unwrap(), tally(2, 1, 1));
    assert_eq!(store.tally(&shop(), 3).await.unwrap(), tally(2, 1, 1));
    assert_eq!(store.tally(&shop(), 4).await.unwrap(), Tally::default());
    assert_eq!(store.tally(&other_shop(), 3).await.unwrap(), Tally::default());
}

fn asked(asked: Asked) -> AskedMail {
    AskedMail::new(MailId::from_body("a").unwrap(), asked, seconds(0))
}

/// A mail that was asked for is begun by one, and forgotten after a day.
pub async fn a_mail_that_was_asked_for_is_begun_by_one<S: AskedMailStore>(store: &S) {
    let trial = Trial {
        shop: shop(),
        template: template_id(),
        template_version: 1,
        order: None,
        to: "ada@shop.test".to_owned(),
    };
    let person = PersonId::from_body("a").unwrap();
    let member = MemberId::from_body("a").unwrap();
    for asked in [
        asked(Asked::Trial(trial)),
        asked(Asked::SignIn { person }),
        // In a shop of its own: one mail of an id stands with each.
        asked(Asked::Invitation { shop: other_shop(), member }),
    ] {
        store.put_asked_mail(&asked).await.unwrap();
        store.put_asked_mail(&asked).await.unwrap();
        let slot = Some(seconds(1));
        let sending = AskedMail { version: 2, slot, state: AskedState::Sending, ..asked.clone() };
        let by = |name: &str| AskedMail { by: Some(AttemptId::from_body(name).unwrap()), ..sending.clone() };
        let (sending, too) = (by("a"), by("b"));
        store.put_asked_mail(&sending).await.unwrap();
        store.put_asked_mail(&sending).await.unwrap();
        let second = store.put_asked_mail(&too).await;
        assert!(matches!(second, Err(CommitError::LostRace)), "two runners, each with its doorbell");
        let state = AskedState::Failed { error: "x".to_owned() };
        let failed = AskedMail { version: 2, state, ..asked.clone() };
        assert!(matches!(store.put_asked_mail(&failed).await, Err(CommitError::LostRace)));
        let of = asked.asker();
        assert_eq!(store.asked_mail(&of, &asked.id, seconds(1)).await.unwrap(), Some(sending));
        assert_eq!(store.asked_mail(&of, &asked.id, seconds(86_400)).await.unwrap(), None);
        let nobody = Asker::Person(PersonId::from_body("b").unwrap());
        assert_eq!(store.asked_mail(&nobody, &asked.id, seconds(1)).await.unwrap(), None);
    }
}

/// Mails that are asked for are counted by hour, each kind by its own.
pub async fn mails_that_are_asked_for_are_counted_by_hour<S: AskedMailStore>(store: &S) {
    let (one, other) = (PersonId::from_body("a").unwrap(), PersonId::from_body("b").unwrap());
    let (ours, theirs) = (shop(), other_shop());
    for what in [
        Hourly::Trials(&ours),
        Hourly::Trials(&theirs),
        Hourly::Invitations(&ours),
        Hourly::Links(&one),
        Hourly::Links(&other),
    ] {
        assert_eq!(store.count_hourly(what, 5).await.unwrap(), 1, "{what:?}");
        assert_eq!(store.count_hourly(what, 5).await.unwrap(), 2, "{what:?}");
        assert_eq!(store.count_hourly(what, 6).await.unwrap(), 1, "{what:?}");
    }
}
