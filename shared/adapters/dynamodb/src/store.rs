//! The calls of the table, each with its deadline, its cap and its entry on the meter.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity, ReturnValue,
    ReturnValuesOnConditionCheckFailure,
};
use stagepost_app::ports::{CommitError, StoreError};

use crate::error::{commit_error, store_error};
use crate::expression::Expression;
use crate::keys::Key;
use crate::meter::{Kind, Meter};
use crate::patience::Patience;
use crate::row::{Row, corrupt, key_of, key_row, text};
use crate::table::{GSI1, GSI2};

/// Keys that one batch read may name.
const BATCH_MAX: usize = 100;

/// The store on one DynamoDB table.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) table: String,
    meter: Option<Meter>,
}

/// Why a conditional write of one item did not take place.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The condition; the item as it stands, if there is one.
    Condition(Option<Row>),
    /// Anything else.
    Other(CommitError),
}

impl WriteError {
    /// A transaction holds the item: in a moment it will not.
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Other(CommitError::Conflict))
    }

    /// For writes whose condition no race can fail.
    pub fn plain(self) -> StoreError {
        match self {
            Self::Other(CommitError::Store(error)) => error,
            // Another transaction holds the item: in a moment it will not.
            Self::Other(CommitError::Conflict | CommitError::LostRace) => StoreError::Throttled,
            Self::Condition(_) => corrupt("request", "a condition failed that was not asked for"),
        }
    }
}

/// Which items of a partition to read.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub index: Option<&'static str>,
    pub pk: String,
    pub sk: Bounds,
    pub newest_first: bool,
    /// Read on behind this item.
    pub start: Option<Row>,
}

/// Bounds of the sort key, inclusive.
#[derive(Debug, Clone)]
pub(crate) enum Bounds {
    All,
    Prefix(String),
    UpTo(String),
    Between(String, String),
}

impl Span {
    pub fn prefix(pk: String, prefix: &str) -> Self {
        Self { index: None, pk, sk: Bounds::Prefix(prefix.to_owned()), newest_first: false, start: None }
    }

    fn expression(&self) -> Expression {
        let (pk, sk) = match self.index {
            Some(GSI1) => ("g1pk", "g1sk"),
            Some(GSI2) => ("g2pk", "g2sk"),
            _ => ("pk", "sk"),
        };
        let expression = match &self.sk {
            Bounds::All => Expression::condition("#p = :p"),
            Bounds::Prefix(a) => Expression::condition("#p = :p AND begins_with(#s, :a)").value("a", text(a)),
            Bounds::UpTo(a) => Expression::condition("#p = :p AND #s <= :a").value("a", text(a)),
            Bounds::Between(a, b) => Expression::condition("#p = :p AND #s BETWEEN :a AND :b")
                .value("a", text(a))
                .value("b", text(b)),
        };
        let expression = match self.sk {
            Bounds::All => expression,
            _ => expression.name("s", sk),
        };
        expression.name("p", pk).value("p", text(&self.pk))
    }
}

impl DynamoStore {
    /// A store on `table`, which must be there.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into(), meter: None }
    }

    /// The same store, its use of capacity summed up on `meter`.
    #[must_use]
    pub fn with_meter(mut self, meter: Meter) -> Self {
        self.meter = Some(meter);
        self
    }

    pub(crate) fn count(&self, kind: Kind, used: &[ConsumedCapacity]) {
        if let Some(meter) = &self.meter {
            meter.count(kind, used);
        }
    }

    /// One item, strongly consistent.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        let call = self.client.get_item().table_name(&self.table).set_key(Some(key_row(key)));
        let call = call.consistent_read(true).return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer = call.send().await.map_err(|error| store_error(&error))?;
        self.count(Kind::Read, answer.consumed_capacity.as_slice());
        Ok(answer.item)
    }

    /// Several items in one round trip, strongly consistent, in no order.
    pub(crate) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for chunk in keys.chunks(BATCH_MAX) {
            let mut patience = Patience::new(&chunk.first().map(Key::name).unwrap_or_default());
            let mut wanted: Vec<Row> = chunk.iter().map(key_row).collect();
            while !wanted.is_empty() {
                let (found, left) = self.get_batch(wanted).await?;
                rows.extend(found);
                wanted = left;
                if !wanted.is_empty() && !patience.wait().await {
                    return Err(StoreError::Throttled);
                }
            }
        }
        Ok(rows)
    }

    async fn get_batch(&self, wanted: Vec<Row>) -> Result<(Vec<Row>, Vec<Row>), StoreError> {
        let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
        let keys = keys.map_err(|_| corrupt("request", "a batch without keys"))?;
        let call = self.client.batch_get_item().request_items(&self.table, keys);
        let call = call.return_consumed_capacity(ReturnConsumedCapacity::Total);
        let mut answer = call.send().await.map_err(|error| store_error(&error))?;
        self.count(Kind::Read, answer.consumed_capacity());
        let found = answer.responses.as_mut().and_then(|all| all.remove(&self.table)).unwrap_or_default();
        let left = answer.unprocessed_keys.as_mut().and_then(|all| all.remove(&self.table));
        Ok((found, left.map(|keys| keys.keys).unwrap_or_default()))
    }

    /// At most `limit` items, over as many pages as that takes.
    pub(crate) async fn query(&self, span: &Span, limit: usize) -> Result<Vec<Row>, StoreError> {
        let expression = span.expression();
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok(rows);
        }
        let mut start = span.start.clone();
        loop {
            let wanted = i32::try_from(limit.saturating_sub(rows.len())).unwrap_or(i32::MAX);
            let call =
                self.client.query().table_name(&self.table).set_index_name(span.index.map(str::to_owned));
            let call = call
                .set_key_condition_expression(expression.condition.clone())
                .set_expression_attribute_names(expression.names())
                .set_expression_attribute_values(expression.values())
                .scan_index_forward(!span.newest_first)
                // An index is never strongly consistent.
                .consistent_read(span.index.is_none())
                .limit(wanted)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let answer = call.send().await.map_err(|error| store_error(&error))?;
            self.count(Kind::Read, answer.consumed_capacity.as_slice());
            rows.extend(answer.items.unwrap_or_default());
            match answer.last_evaluated_key {
                Some(key) if rows.len() < limit => start = Some(key),
                _ => return Ok(rows),
            }
        }
    }

    /// Writes one item.
    pub(crate) async fn put(&self, row: Row, condition: Option<Expression>) -> Result<(), WriteError> {
        let condition = condition.unwrap_or_default();
        let mut patience = Patience::new(&key_of(&row).name());
        loop {
            match self.put_once(row.clone(), &condition).await {
                Err(error) if error.is_conflict() && patience.wait().await => {}
                written => return written,
            }
        }
    }

    async fn put_once(&self, row: Row, condition: &Expression) -> Result<(), WriteError> {
        let call = self.client.put_item().table_name(&self.table).set_item(Some(row));
        let call = call
            .set_condition_expression(condition.condition.clone())
            .set_expression_attribute_names(condition.names())
            .set_expression_attribute_values(condition.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match call.send().await {
            Ok(answer) => {
                self.count(Kind::Write, answer.consumed_capacity.as_slice());
                Ok(())
            }
            Err(SdkError::ServiceError(service)) if service.err().is_conditional_check_failed_exception() => {
                self.count(Kind::Write, &[]);
                match service.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => {
                        Err(WriteError::Condition(failed.item))
                    }
                    _ => Err(WriteError::Condition(None)),
                }
            }
            Err(error) => Err(WriteError::Other(commit_error(&error))),
        }
    }

    /// Changes one item and gives it as it is after that.
    pub(crate) async fn update(&self, key: &Key, expression: &Expression) -> Result<Row, WriteError> {
        let mut patience = Patience::new(&key.name());
        loop {
            match self.update_once(key, expression).await {
                Err(error) if error.is_conflict() && patience.wait().await => {}
                written => return written,
            }
        }
    }

    async fn update_once(&self, key: &Key, expression: &Expression) -> Result<Row, WriteError> {
        let call = self.client.update_item().table_name(&self.table).set_key(Some(key_row(key)));
        let call = call
            .set_update_expression(expression.update.clone())
            .set_condition_expression(expression.condition.clone())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match call.send().await {
            Ok(answer) => {
                self.count(Kind::Write, answer.consumed_capacity.as_slice());
                Ok(answer.attributes.unwrap_or_default())
            }
            Err(SdkError::ServiceError(service)) if service.err().is_conditional_check_failed_exception() => {
                self.count(Kind::Write, &[]);
                match service.into_err() {
                    UpdateItemError::ConditionalCheckFailedException(failed) => {
                        Err(WriteError::Condition(failed.item))
                    }
                    _ => Err(WriteError::Condition(None)),
                }
            }
            Err(error) => Err(WriteError::Other(commit_error(&error))),
        }
    }

    /// Removes one item, there or not.
    pub(crate) async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let mut patience = Patience::new(&key.name());
        loop {
            let call = self.client.delete_item().table_name(&self.table).set_key(Some(key_row(key)));
            let call = call.return_consumed_capacity(ReturnConsumedCapacity::Total);
            match call.send().await {
                Ok(answer) => {
                    self.count(Kind::Write, answer.consumed_capacity.as_slice());
                    return Ok(());
                }
                Err(error) => match WriteError::Other(commit_error(&error)) {
                    error if error.is_conflict() && patience.wait().await => {}
                    error => return Err(error.plain()),
                },
            }
        }
    }
}

/// Whether an attribute of an item holds this text.
pub(crate) fn holds(row: Option<&Row>, name: &str, value: &str) -> bool {
    row.and_then(|row| row.get(name)) == Some(&AttributeValue::S(value.to_owned()))
}
