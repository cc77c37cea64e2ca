//! Runs and the due index.
//!
//! A claim is one conditional write by path and leaves the due index alone: one write unit. An end or a
//! retry reads the event first (one read unit, a fifth of a write unit's price) and then writes once with
//! the right place in the index. The other way, counting down and taking the event out of the index with
//! a second write when the count is zero, costs a write unit more for the last run and saves the read for
//! the others: with fewer than five runs to an event, reading first is cheaper, and it has no moment in
//! which a finished event still is due.

use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::ports::{CommitError, DueItem, RunStore, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::id::OrderId;
use stagepost_domain::run::{Run, RunId, RunState};

use crate::expression::Expression;
use crate::keys::{self, Key, due_pk, due_shard, time_text};
use crate::row::{Row, attribute, expired, key_of, number, read_document, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};
use crate::table::{DUE_SHARDS, GSI2};
use crate::{event_item, inbound};

/// How often a write that met a sibling's is built anew. An event has a handful of runs.
const ROUNDS_MAX: usize = 6;
/// Most items that one look at the due index gives.
const DUE_MAX: usize = 1_000;

impl RunStore for DynamoStore {
    async fn update_run(&self, id: &RunId, expected: &Run, next: &Run) -> Result<Event, CommitError> {
        let key = keys::event(&id.order, id.seq);
        let change = RunChange { id, key: &key, expected, next };
        let keeps_place =
            !matches!(next.state, RunState::Pending { .. }) && expected.is_open() == next.is_open();
        if keeps_place { self.replace_run(&change).await } else { self.replace_and_place(&change).await }
    }

    async fn webhook_body(&self, order: &OrderId, seq: u64) -> Result<Option<String>, StoreError> {
        self.get(&keys::body(order, seq)).await?.map(read_document).transpose()
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueItem>, StoreError> {
        let limit = limit.min(DUE_MAX);
        let mut places = Vec::new();
        for shard in 0..DUE_SHARDS {
            let sk = Bounds::UpTo(time_text(now));
            let span = Span { index: Some(GSI2), pk: due_shard(shard), sk, newest_first: false, start: None };
            let rows = self.query(&span, limit).await?;
            places.extend(
                rows.iter().map(|row| (text_of(row, "g2sk").unwrap_or_default().to_owned(), key_of(row))),
            );
        }
        places.sort();
        places.truncate(limit);
        let keys: Vec<Key> = places.into_iter().map(|(_, key)| key).collect();
        let mut rows = self.get_all(&keys).await?;
        rows.retain(|row| still_due(row, now));
        rows.sort_by(|a, b| text_of(a, "g2sk").cmp(&text_of(b, "g2sk")));
        Ok(rows.into_iter().filter_map(due_item).collect())
    }

    async fn set_due(&self, item: &DueItem, due: Option<Timestamp>) -> Result<(), StoreError> {
        let (key, condition, runs) = match item {
            DueItem::Event(event) => {
                let key = keys::event(&event.order, event.seq);
                let runs = attribute(&key, &event.runs)?;
                (key, "#r = :r", Some(runs))
            }
            DueItem::Parked(fact) => (inbound::parked_key(fact), "attribute_exists(pk)", None),
        };
        let mut expression = match due {
            Some(due) => placed(Expression::update("SET g2pk = :p, g2sk = :d", condition), &key, due),
            None => Expression::update("REMOVE g2pk, g2sk", condition),
        };
        if let Some(runs) = runs {
            expression = expression.name("r", "r").value("r", runs);
        }
        match self.update(&key, &expression).await {
            Ok(_) | Err(WriteError::Condition(_)) => Ok(()),
            // Whoever holds the item sets its place; if not, it is due again in a minute.
            Err(WriteError::Other(CommitError::Conflict | CommitError::LostRace)) => Ok(()),
            Err(WriteError::Other(CommitError::Store(error))) => Err(error),
        }
    }
}

/// One run's next state.
struct RunChange<'a> {
    id: &'a RunId,
    key: &'a Key,
    expected: &'a Run,
    next: &'a Run,
}

impl RunChange<'_> {
    /// Replaces the run by path; `also` is set with it, `guard` must hold beside the run's own state.
    fn expression(&self, also: &str, guard: &str) -> Result<Expression, StoreError> {
        let update = format!("SET #r.#k = :n{also}");
        let condition = format!("#r.#k = :e{guard}");
        Ok(Expression::update(&update, &condition)
            .name("r", "r")
            .name("k", &self.id.key.to_string())
            .value("n", attribute(self.key, self.next)?)
            .value("e", attribute(self.key, self.expected)?))
    }

    /// The write that goes with the event as it was read.
    fn with_place(&self, event: &Event, runs: Option<&AttributeValue>) -> Result<Expression, StoreError> {
        let mut after = event.clone();
        after.runs.insert(self.id.key.clone(), self.next.clone());
        let Some(due) = after.due() else {
            // The last one: out of the index with it.
            let expression = self.expression(", #o = :zero REMOVE g2pk, g2sk", " AND #o = :one")?;
            return Ok(expression.name("o", "o").value("zero", number(0)).value("one", number(1)));
        };
        if !self.next.is_open() {
            // Others remain, whatever they do meanwhile; their place stands.
            let expression = self.expression(", #o = #o - :one", " AND #o > :one")?;
            return Ok(expression.name("o", "o").value("one", number(1)));
        }
        // The earliest of all open runs: only true of the runs as they were read.
        let open = u64::try_from(after.open_runs()).unwrap_or(u64::MAX);
        let expression = self.expression(", #o = :o, g2pk = :p, g2sk = :d", " AND #r = :r")?;
        let runs = runs.cloned().unwrap_or(AttributeValue::Null(true));
        Ok(placed(expression, self.key, due).name("o", "o").value("o", number(open)).value("r", runs))
    }
}

fn placed(expression: Expression, key: &Key, due: Timestamp) -> Expression {
    expression.value("p", text(due_pk(&key.pk))).value("d", text(time_text(due)))
}

impl DynamoStore {
    /// A change that leaves the event's place in the due index as it is.
    async fn replace_run(&self, change: &RunChange<'_>) -> Result<Event, CommitError> {
        match self.update(change.key, &change.expression("", "")?).await {
            Ok(row) => Ok(event_item::from_row(row)?),
            Err(WriteError::Condition(old)) => match old.map(event_item::from_row).transpose()? {
                Some(event) if event.runs.get(&change.id.key) == Some(change.next) => Ok(event),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }

    /// A change that moves the event's place or ends a run.
    async fn replace_and_place(&self, change: &RunChange<'_>) -> Result<Event, CommitError> {
        for _ in 0..ROUNDS_MAX {
            let row = self.get(change.key).await?.ok_or(CommitError::LostRace)?;
            let runs = row.get("r").cloned();
            let event = event_item::from_row(row)?;
            match event.runs.get(&change.id.key) {
                Some(run) if run == change.next => return Ok(event),
                Some(run) if run == change.expected => {}
                _ => return Err(CommitError::LostRace),
            }
            match self.update(change.key, &change.with_place(&event, runs.as_ref())?).await {
                Ok(row) => return Ok(event_item::from_row(row)?),
                // A sibling ended or moved between read and write: look again.
                Err(WriteError::Condition(_)) => {}
                Err(WriteError::Other(error)) => return Err(error),
            }
        }
        Err(CommitError::Conflict)
    }
}

/// The index may be a moment behind the item.
fn still_due(row: &Row, now: Timestamp) -> bool {
    text_of(row, "g2sk").is_some_and(|due| due <= time_text(now).as_str()) && !expired(row, now)
}

/// An item that cannot be read must not keep all others from their turn: it is reported and passed over.
fn due_item(row: Row) -> Option<DueItem> {
    let key = key_of(&row);
    let item = if key.sk.starts_with(keys::EVENTS) {
        event_item::from_row(row).map(|event| DueItem::Event(Box::new(event)))
    } else {
        read_document(row).map(DueItem::Parked)
    };
    item.inspect_err(|error| tracing::error!(item = key.name(), %error, "a due item cannot be read")).ok()
}
