//! Laws of what mails need beside runs.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::mail::ports::{
    Counted, Line, PaceStore, SuppressionStore, TallyStore, TestMail, TestMailStore, TestState,
};
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_domain::governor::Tally;
use stagepost_domain::id::{ShopId, SuppressionId, TestMailId};
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

/// A test mail is begun by one, and forgotten after a day.
pub async fn a_test_mail_is_begun_by_one<S: TestMailStore>(store: &S) {
    let asked = TestMail {
        id: TestMailId::from_body("a").unwrap(),
        shop: shop(),
        template: template_id(),
        template_version: 1,
        order: None,
        to: "ada@shop.test".to_owned(),
        at: seconds(0),
        version: 1,
        state: TestState::Pending,
    };
    store.put_test_mail(&asked).await.unwrap();
    store.put_test_mail(&asked).await.unwrap();
    let sending = TestMail { version: 2, state: TestState::Sending, ..asked.clone() };
    store.put_test_mail(&sending).await.unwrap();
    let failed = TestMail { version: 2, state: TestState::Failed { error: "x".to_owned() }, ..asked.clone() };
    assert!(matches!(store.put_test_mail(&failed).await, Err(CommitError::LostRace)));
    assert_eq!(store.test_mail(&shop(), &asked.id, seconds(1)).await.unwrap(), Some(sending));
    assert_eq!(store.test_mail(&other_shop(), &asked.id, seconds(1)).await.unwrap(), None);
    assert_eq!(store.test_mail(&shop(), &asked.id, seconds(86_400)).await.unwrap(), None);
    assert_eq!(store.count_test_mail(&shop(), 5).await.unwrap(), 1);
    assert_eq!(store.count_test_mail(&shop(), 5).await.unwrap(), 2);
    assert_eq!(store.count_test_mail(&shop(), 6).await.unwrap(), 1);
    assert_eq!(store.count_test_mail(&other_shop(), 5).await.unwrap(), 1);
}
