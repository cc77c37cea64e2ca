//! The one transaction: order, event, snapshot, packages, package index and frozen webhook body.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use stagepost_app::ports::{Commit, CommitError, StoreError};
use stagepost_domain::event::Change;
use stagepost_domain::package::Package;

use crate::error::commit_error;
use crate::expression::{Expression, absent, replacing};
use crate::keys::{self, Key};
use crate::meter::Kind;
use crate::order_item::Company;
use crate::orders::{WRITES, WRITTEN_AT, still_at};
use crate::patience::Patience;
use crate::row::{Row, corrupt, document, expire, key_row, number};
use crate::store::{DynamoStore, WriteError, holds};
use crate::{event_item, order_item};

/// Items that one transaction takes.
const ITEMS_MAX: usize = 100;

/// A step of a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Put(Row, Option<Expression>),
    Update(Key, Expression),
    Delete(Key),
}

/// What a commit writes, and the little that may not fit: index entries of an order whose packages fill
/// the transaction. An entry too many is harmless (the order itself says what it holds), one too few is
/// not, so what is added goes before the transaction and what is removed after it.
struct Plan {
    before: Vec<Row>,
    steps: Vec<Step>,
    after: Vec<Key>,
}

impl Plan {
    fn of(commit: &Commit) -> Result<Self, StoreError> {
        let changes = &commit.changes;
        let order = &changes.order;
        let condition = commit.expected_version.map_or_else(absent, still_at);
        let with = Company { packages: changes.packages.len(), snapshot: changes.snapshot.is_some() };
        let update = order_item::to_update(order, &commit.write_id, condition, with)?;
        let mut steps = vec![
            Step::Update(keys::order(&order.id), update),
            Step::Put(event_item::to_row(&changes.event)?, Some(absent())),
        ];
        if let Some(snapshot) = &changes.snapshot {
            let mut row = document(&keys::snapshot(&order.id), snapshot)?;
            row.insert(WRITTEN_AT.to_owned(), number(order.version));
            steps.push(Step::Put(row, None));
        }
        if let Some(body) = &commit.webhook_body {
            let mut row = document(&keys::body(&order.id, changes.event.seq), body)?;
            expire(&mut row, changes.event.at);
            steps.push(Step::Put(row, None));
        }
        for package in &changes.packages {
            let key = keys::package(&order.id, &package.id);
            let update = replacing(document(&key, package)?, &[], Expression::default());
            steps.push(Step::Update(key, update.add(WRITES, 1)));
        }
        let mut plan = Self { before: Vec::new(), steps, after: Vec::new() };
        for step in index_steps(commit)? {
            plan.add_index(step);
        }
        Ok(plan)
    }

    fn add_index(&mut self, step: Step) {
        match step {
            step if self.steps.len() < ITEMS_MAX => self.steps.push(step),
            Step::Put(row, _) => self.before.push(row),
            Step::Delete(key) => self.after.push(key),
            // No index entry is one.
            step @ Step::Update(..) => self.steps.push(step),
        }
    }
}

/// The package index as it will be. A carrier's report changes no number: it leaves the index alone.
fn index_steps(commit: &Commit) -> Result<Vec<Step>, StoreError> {
    let changes = &commit.changes;
    if matches!(changes.event.change, Change::Package { .. } | Change::Shipment { .. }) {
        return Ok(Vec::new());
    }
    let numbered = |package: &Package| {
        let number = package.seen.number.as_deref()?;
        let pk = keys::track_pk(&changes.order.shop, number);
        Some((Key::new(pk, keys::order_pk(&changes.order.id)), package.removed))
    };
    let step = |(key, removed)| match removed {
        true => Ok(Step::Delete(key)),
        false => Ok(Step::Put(document(&key, &changes.order.id)?, None)),
    };
    changes.packages.iter().filter_map(numbered).map(step).collect()
}

impl DynamoStore {
    pub(crate) async fn transact(&self, commit: &Commit) -> Result<(), CommitError> {
        let Plan { before, steps, after } = Plan::of(commit)?;
        for row in before {
            self.put(row, None).await.map_err(WriteError::plain)?;
        }
        match self.write_all(&commit.write_id, &steps).await {
            Ok(()) => {}
            Err(Cancelled::Reasons(reasons)) => verdict(&reasons, commit)?,
            Err(Cancelled::Other(error)) => return Err(error),
        }
        for key in after {
            self.delete(&key).await?;
        }
        Ok(())
    }

    /// All steps or none. A transaction that met another one, or the table's limit, has written nothing and
    /// is tried again, which the SDK leaves to its users; `seed` sets the pace. That another try finds an
    /// earlier one written, whose answer was lost, is for the steps' conditions to say.
    pub(crate) async fn write_all(&self, seed: &str, steps: &[Step]) -> Result<(), Cancelled> {
        let mut patience = Patience::new(seed);
        loop {
            match self.write_once(steps).await {
                Err(cancelled) if cancelled.may_pass() && patience.wait().await => {}
                written => return written,
            }
        }
    }

    /// The SDK's request token makes its own retries one write.
    async fn write_once(&self, steps: &[Step]) -> Result<(), Cancelled> {
        let mut call = self.client.transact_write_items();
        for step in steps {
            call =
                call.transact_items(self.item(step.clone()).map_err(|error| Cancelled::Other(error.into()))?);
        }
        match call.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await {
            Ok(answer) => {
                self.count(Kind::Write, answer.consumed_capacity());
                Ok(())
            }
            Err(SdkError::ServiceError(service)) if service.err().is_transaction_canceled_exception() => {
                self.count(Kind::Write, &[]);
                match service.into_err() {
                    TransactWriteItemsError::TransactionCanceledException(cancelled) => {
                        Err(Cancelled::Reasons(cancelled.cancellation_reasons.unwrap_or_default()))
                    }
                    _ => Err(Cancelled::Reasons(Vec::new())),
                }
            }
            Err(error) => Err(Cancelled::Other(commit_error(&error))),
        }
    }

    fn item(&self, step: Step) -> Result<TransactWriteItem, StoreError> {
        let invalid = |_| corrupt("request", "an incomplete step");
        let item = match step {
            Step::Put(row, condition) => {
                let condition = condition.unwrap_or_default();
                let put = Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(row))
                    .set_condition_expression(condition.condition.clone())
                    .set_expression_attribute_names(condition.names())
                    .set_expression_attribute_values(condition.values())
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .build();
                TransactWriteItem::builder().put(put.map_err(invalid)?)
            }
            Step::Update(key, expression) => {
                let update = Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(key_row(&key)))
                    .set_update_expression(expression.update.clone())
                    .set_condition_expression(expression.condition.clone())
                    .set_expression_attribute_names(expression.names())
                    .set_expression_attribute_values(expression.values())
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .build();
                TransactWriteItem::builder().update(update.map_err(invalid)?)
            }
            Step::Delete(key) => {
                let delete = Delete::builder().table_name(&self.table).set_key(Some(key_row(&key))).build();
                TransactWriteItem::builder().delete(delete.map_err(invalid)?)
            }
        };
        Ok(item.build())
    }
}

/// Why a transaction was not written.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// One reason per step, in their order.
    Reasons(Vec<CancellationReason>),
    /// Not for a step's sake.
    Other(CommitError),
}

impl Cancelled {
    /// Whether the same transaction may well be written in a moment: it met another one or the limit, and
    /// nothing else speaks against it.
    fn may_pass(&self) -> bool {
        match self {
            Self::Other(error) => matches!(error, CommitError::Conflict),
            Self::Reasons(reasons) => {
                !reasons.iter().any(|reason| condition_failed(Some(reason)))
                    && matches!(
                        unconditional(reasons),
                        CommitError::Conflict | CommitError::Store(StoreError::Throttled)
                    )
            }
        }
    }
}

const FAILED_CONDITION: &str = "ConditionalCheckFailed";

/// Whether this step's condition failed.
pub(crate) fn condition_failed(reason: Option<&CancellationReason>) -> bool {
    reason.and_then(CancellationReason::code) == Some(FAILED_CONDITION)
}

/// What a cancelled commit means; `Ok` if it had been written before.
fn verdict(reasons: &[CancellationReason], commit: &Commit) -> Result<(), CommitError> {
    let order = reasons.first();
    if condition_failed(order) {
        let old = order.and_then(|reason| reason.item.as_ref());
        return match holds(old, "w", &commit.write_id) {
            true => Ok(()),
            false => Err(CommitError::LostRace),
        };
    }
    if condition_failed(reasons.get(1)) {
        let untouched = order.and_then(CancellationReason::code).is_none_or(|code| code == "None");
        let event = keys::event(&commit.changes.order.id, commit.changes.event.seq);
        return Err(match untouched {
            // Nobody is writing the order, yet the event that it has not come to is there.
            true => corrupt(event.name(), "the event exists although its order has not come to it").into(),
            // The winner's transaction is landing: the order is still held, its event already there.
            false => CommitError::LostRace,
        });
    }
    Err(unconditional(reasons))
}

/// Of several reasons the one that no retry mends decides, then the one that says what happened: a conflict
/// names a rival, throttling only the load. (A failed condition has decided before: the order has moved
/// on, whatever else was in the way.)
pub(crate) fn unconditional(reasons: &[CancellationReason]) -> CommitError {
    let any =
        |codes: &[&str]| reasons.iter().filter_map(CancellationReason::code).any(|c| codes.contains(&c));
    if any(&["ValidationError", "ItemCollectionSizeLimitExceeded"]) {
        StoreError::TooLarge.into()
    } else if any(&["TransactionConflict"]) {
        CommitError::Conflict
    } else if any(&["ThrottlingError", "ProvisionedThroughputExceeded"]) {
        StoreError::Throttled.into()
    } else {
        StoreError::Unavailable("the transaction was cancelled without a reason that we know".to_owned())
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::text;
    use crate::scripted;
    use stagepost_domain::Timestamp;
    use stagepost_domain::decide::Changeset;
    use stagepost_domain::event::{Cause, Event};
    use stagepost_domain::fulfillment::Fulfillment;
    use stagepost_domain::id::{OrderId, ShopId};
    use stagepost_domain::order::{Lifecycle, Order, Placement, Platform, Source};
    use stagepost_domain::package::Rollup;

    fn commit() -> Commit {
        let (id, shop) = (OrderId::parse("ord_a").unwrap(), ShopId::parse("shop_a").unwrap());
        let source = Source {
            platform: Platform::Api,
            store: String::new(),
            external_id: "1".to_owned(),
            channel: None,
        };
        let order = Order {
            id: id.clone(),
            shop: shop.clone(),
            source,
            number: "#1".to_owned(),
            seq: 2,
            version: 2,
            placement: Placement::Untriaged,
            lifecycle: Lifecycle::Open,
            lifecycle_seq: 0,
            mark: None,
            created_at: Timestamp::UNIX_EPOCH,
            fulfillment: Fulfillment::default(),
            packages: Rollup::default(),
            hold: None,
            links: 0,
            has_email: false,
            last_mail: None,
            erased: None,
        };
        let event = Event {
            order: id,
            shop,
            seq: 2,
            at: Timestamp::UNIX_EPOCH,
            fact_at: None,
            cause: Cause::Platform { channel: None },
            change: Change::Updated,
            transition: None,
            refused: None,
            tripped: false,
            runs: std::collections::BTreeMap::new(),
        };
        let changes = Changeset { order, event, snapshot: None, packages: Vec::new() };
        Commit { changes, expected_version: Some(1), webhook_body: None, write_id: "mine".to_owned() }
    }

    fn reasons(codes: &[&str], old_write: Option<&str>) -> Vec<CancellationReason> {
        let reason = |(n, code): (usize, &&str)| {
            let item = old_write.filter(|_| n == 0).map(|w| Row::from([("w".to_owned(), text(w))]));
            CancellationReason::builder().code(*code).set_item(item).build()
        };
        codes.iter().enumerate().map(reason).collect()
    }

    fn outcome(codes: &[&str], old_write: Option<&str>) -> String {
        match verdict(&reasons(codes, old_write), &commit()) {
            Ok(()) => "written before".to_owned(),
            Err(CommitError::LostRace) => "lost".to_owned(),
            Err(CommitError::Conflict) => "conflict".to_owned(),
            Err(CommitError::Store(error)) => error.to_string(),
        }
    }

    /// What became of a commit over these answers, and how often it was sent.
    async fn committed(answers: Vec<(u16, String)>) -> (String, usize) {
        let (store, heard) = scripted::store(answers);
        let outcome = match store.transact(&commit()).await {
            Ok(()) => "written".to_owned(),
            Err(error) => error.to_string(),
        };
        let heard = heard.lock().unwrap();
        let write_id = |body: &serde_json::Value| {
            body["TransactItems"][0]["Update"]["ExpressionAttributeValues"][":w"]["S"].clone()
        };
        assert!(heard.iter().all(|(_, body)| write_id(body) == "mine"), "always the same write: {heard:?}");
        (outcome, heard.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_met_another_or_the_limit_is_tried_again() {
        let passing: [&[&str]; 4] = [
            &["TransactionConflict", "None"],
            &["None", "ThrottlingError"],
            &["ProvisionedThroughputExceeded", "None"],
            &["ThrottlingError", "TransactionConflict"],
        ];
        for codes in passing {
            let once = vec![scripted::cancelled(codes), scripted::fine()];
            assert_eq!(committed(once).await, ("written".to_owned(), 2), "{codes:?}");
        }
        let in_progress = vec![scripted::refused("TransactionInProgressException"), scripted::fine()];
        assert_eq!(committed(in_progress).await, ("written".to_owned(), 2));
        let last =
            std::iter::repeat_n(scripted::cancelled(&["TransactionConflict"]), 5).chain([scripted::fine()]);
        assert_eq!(committed(last.collect()).await, ("written".to_owned(), 6));
        let never = vec![scripted::cancelled(&["TransactionConflict"]); 6];
        assert_eq!(committed(never).await, ("another transaction is in the way".to_owned(), 6));
        let never = vec![scripted::cancelled(&["ThrottlingError"]); 6];
        assert_eq!(committed(never).await, ("the store throttles".to_owned(), 6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_transaction_that_cannot_pass_is_not_tried_again() {
        let lost = scripted::cancelled(&["TransactionConflict", FAILED_CONDITION]);
        assert_eq!(committed(vec![lost]).await, ("another write came first".to_owned(), 1));
        let large = scripted::cancelled(&["TransactionConflict", "ValidationError"]);
        assert_eq!(committed(vec![large]).await, ("the item is too large to store".to_owned(), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn another_try_that_meets_its_own_write_is_a_success() {
        for (write, outcome) in [("mine", "written"), ("theirs", "another write came first")] {
            let item = serde_json::json!({"w": {"S": write}});
            let met = serde_json::json!([{"Code": FAILED_CONDITION, "Item": item}, {"Code": "None"}]);
            let answers = vec![scripted::cancelled(&["TransactionConflict"]), scripted::cancelled_for(&met)];
            assert_eq!(committed(answers).await, (outcome.to_owned(), 2));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_plain_write_waits_for_the_transaction_that_holds_its_item() {
        let conflict = || scripted::refused("TransactionConflictException");
        let key = keys::order(&commit().changes.order.id);
        let (store, heard) = scripted::store([conflict(), scripted::fine()]);
        store.put(key_row(&key), None).await.unwrap();
        assert_eq!(heard.lock().unwrap().len(), 2);
        let (store, heard) = scripted::store([conflict(), conflict(), scripted::fine()]);
        store.update(&key, &Expression::update("REMOVE a", "attribute_exists(pk)")).await.unwrap();
        assert_eq!(heard.lock().unwrap().len(), 3);
        let (store, heard) = scripted::store([conflict(), scripted::fine()]);
        store.delete(&key).await.unwrap();
        assert_eq!(heard.lock().unwrap().len(), 2);
        let (store, _) = scripted::store(std::iter::repeat_n(conflict(), 6));
        assert!(matches!(store.delete(&key).await, Err(StoreError::Throttled)));
    }

    #[test]
    fn a_cancelled_commit_is_told_by_its_worst_reason() {
        let failed = FAILED_CONDITION;
        let table: [(&[&str], Option<&str>, &str); 11] = [
            (&[failed, failed], Some("mine"), "written before"),
            (&[failed, "None"], Some("theirs"), "lost"),
            (&[failed, "None"], None, "lost"),
            (&[failed, "TransactionConflict", "ValidationError"], Some("theirs"), "lost"),
            (&["TransactionConflict", failed], None, "lost"),
            (&["None", "TransactionConflict"], None, "conflict"),
            (&["ThrottlingError", "TransactionConflict"], None, "conflict"),
            (&["None", "ProvisionedThroughputExceeded"], None, "the store throttles"),
            (&["TransactionConflict", "ValidationError"], None, "the item is too large to store"),
            (&["ItemCollectionSizeLimitExceeded"], None, "the item is too large to store"),
            (
                &[],
                None,
                "the store is unavailable: the transaction was cancelled without a reason that we know",
            ),
        ];
        for (codes, old, expected) in table {
            assert_eq!(outcome(codes, old), expected, "{codes:?} over {old:?}");
        }
        assert!(outcome(&["None", failed], None).contains("ORDER#ord_a E#0000000002"));
    }
}
