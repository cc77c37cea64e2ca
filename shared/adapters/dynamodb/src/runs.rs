//! Runs and the due index.
//!
//! A claim is one conditional write by path and leaves the due index alone: one write unit. An end or a
//! retry reads the event first (one read unit, a fifth of a write unit's price) and then writes once with
//! the right place in the index. The other way, counting down and taking the event out of the index with
//! a second write when the count is zero, costs a write unit more for the last run and saves the read for
//! the others: with fewer than five runs to an event, reading first is cheaper, and it has no moment in
//! which a finished event still is due.
//!
//! A run or an event's runs are replaced if they are what the caller read. The first try says so in this
//! program's own words; where another version of it wrote the same with a field more or less, the failed
//! condition gives the stored words back, and the next try is conditional on these.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::ports::{CommitError, DueItem, Page, RunStore, StoreError};
use stagepost_domain::event::Event;
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::run::{Run, RunId, RunState, later};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::expression::Expression;
use crate::keys::{self, Key, due_pk, due_shard, time_text};
use crate::row::{Row, attribute, expired, key_of, key_row, number, read_document, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};
use crate::table::{DUE_SHARDS, GSI2};
use crate::{event_item, inbound};

/// How often a write that met a sibling's is built anew. An event has a handful of runs.
const ROUNDS_MAX: usize = 6;
/// Most items that one look at the due index gives.
const DUE_MAX: usize = 1_000;
/// Longest page of what people should look at.
const ATTENTION_MAX: usize = 100;
/// Most places of the index that one look reads: those of items that have just been moved are passed over.
const PASSED_MAX: usize = 10_000;
/// When an item that cannot be read is tried again: by then perhaps by a program that knows its schema.
const UNREADABLE_AGAIN: SignedDuration = SignedDuration::from_hours(1);

impl RunStore for DynamoStore {
    async fn update_run(&self, id: &RunId, expected: &Run, next: &Run) -> Result<Event, CommitError> {
        let key = keys::event(&id.order, id.seq);
        let change = RunChange { id, key: &key, expected, next };
        let keeps_place = !matches!(next.state, RunState::Pending { .. })
            && expected.is_open() == next.is_open()
            && expected.state.gone_wrong().is_some() == next.state.gone_wrong().is_some();
        if keeps_place { self.replace_run(&change).await } else { self.replace_and_place(&change).await }
    }

    async fn add_run(&self, id: &RunId, run: &Run) -> Result<Event, CommitError> {
        let key = keys::event(&id.order, id.seq);
        for _ in 0..ROUNDS_MAX {
            let row = self.get(&key).await?.ok_or(CommitError::LostRace)?;
            // An event without runs has none that could be wanted once more.
            let stored = row.get("r").cloned().ok_or(CommitError::LostRace)?;
            let event = event_item::from_row(row)?;
            match event.runs.get(&id.key) {
                Some(there) if there == run => return Ok(event),
                Some(_) => return Err(CommitError::LostRace),
                None => {}
            }
            match self.update(&key, &added(&key, event, stored, id, run)?).await {
                Ok(row) => return Ok(event_item::from_row(row)?),
                // A sibling changed between read and write: look again.
                Err(WriteError::Condition(_)) => {}
                Err(WriteError::Other(error)) => return Err(error),
            }
        }
        Err(CommitError::Conflict)
    }

    async fn webhook_body(
        &self,
        order: &OrderId,
        seq: u64,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let row = self.get(&keys::body(order, seq)).await?;
        row.filter(|row| !expired(row, now)).map(read_document).transpose()
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueItem>, StoreError> {
        let limit = limit.min(DUE_MAX);
        let mut index = DueIndex::up_to(now);
        let mut found: Vec<(String, DueItem)> = Vec::new();
        while found.len() < limit {
            let keys = index.next(self, limit.saturating_sub(found.len())).await?;
            if keys.is_empty() {
                break;
            }
            for row in self.get_all(&keys).await? {
                // The index may be a moment behind the item.
                let Some(place) = text_of(&row, "g2sk").filter(|_| still_due(&row, now)) else { continue };
                let (place, key) = (place.to_owned(), key_of(&row));
                match due_item(row) {
                    Ok(item) => found.push((place, item)),
                    Err(error) => self.put_off(&key, place, &error, now).await,
                }
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found.into_iter().map(|(_, item)| item).collect())
    }

    async fn attention(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Event>, StoreError> {
        let pk = keys::attention_pk(shop);
        let start = cursor.map(|c| keys::parse_cursor(c, |at| attention_start(&pk, at))).transpose()?;
        let span = Span { index: Some(GSI2), pk, sk: Bounds::All, newest_first: true, start };
        let limit = limit.clamp(1, ATTENTION_MAX);
        let places = self.query(&span, limit.saturating_add(1)).await?;
        let more = places.len() > limit;
        let next = places.get(limit.saturating_sub(1)).filter(|_| more).map(attention_cursor);
        let keys: Vec<Key> = places.iter().take(limit).map(key_of).collect();
        let mut events: Vec<Event> =
            self.get_all(&keys).await?.into_iter().map(event_item::from_row).collect::<Result<_, _>>()?;
        // The index may be a moment behind, and a batch comes in no order.
        events.retain(|event| event.shop == *shop && event.wants_attention().is_some());
        events.sort_by_key(|e| Reverse((e.wants_attention(), e.order.clone(), e.seq)));
        Ok(Page { items: events, next })
    }

    async fn set_due(&self, item: &DueItem, due: Option<Timestamp>) -> Result<(), StoreError> {
        let placed = match item {
            DueItem::Event(event) => self.place_event(event, due).await,
            DueItem::Job(job) => {
                let key = keys::job(&job.shop, &job.id);
                let still = place(&key, due, "#v = :was").name("v", "v");
                self.update(&key, &still.value("was", number(job.version))).await.map(drop)
            }
            DueItem::Parked(fact) => {
                let key = inbound::parked_key(fact);
                self.update(&key, &place(&key, due, "attribute_exists(pk)")).await.map(drop)
            }
        };
        match placed {
            // Whoever came first has set its place.
            Ok(()) | Err(WriteError::Condition(_)) => Ok(()),
            Err(error) => Err(error.plain()),
        }
    }
}

/// The due index, read shard by shard as far as it takes.
struct DueIndex {
    shards: Vec<DueShard>,
    /// An item that moves while the index is read may be met at both places.
    met: BTreeSet<Key>,
}

struct DueShard {
    /// What to read of it next; `None` at its end.
    span: Option<Span>,
    /// What was read and not given yet: place and key, oldest first.
    places: VecDeque<(String, Key)>,
}

impl DueIndex {
    fn up_to(now: Timestamp) -> Self {
        let span = |shard| Span {
            index: Some(GSI2),
            pk: due_shard(shard),
            sk: Bounds::UpTo(time_text(now)),
            newest_first: false,
            start: None,
        };
        let shard = |shard| DueShard { span: Some(span(shard)), places: VecDeque::new() };
        Self { shards: (0..DUE_SHARDS).map(shard).collect(), met: BTreeSet::new() }
    }

    /// The next oldest keys over all shards, at most `wanted`; none at the end of the index, or when more
    /// has been passed over than one look may cost.
    async fn next(&mut self, store: &DynamoStore, wanted: usize) -> Result<Vec<Key>, StoreError> {
        let mut keys = Vec::new();
        if self.met.len() >= PASSED_MAX {
            return Ok(keys);
        }
        for shard in &mut self.shards {
            shard.fill(store, wanted).await?;
        }
        while keys.len() < wanted {
            let heads = self.shards.iter_mut().filter(|shard| !shard.places.is_empty());
            let Some(oldest) = heads.min_by(|a, b| a.places.front().cmp(&b.places.front())) else { break };
            let Some((_, key)) = oldest.places.pop_front() else { break };
            if self.met.insert(key.clone()) {
                keys.push(key);
            } else {
                // It may have been the last that was read of its shard.
                oldest.fill(store, wanted).await?;
            }
        }
        Ok(keys)
    }
}

impl DueShard {
    /// Reads on until `wanted` places are there or the shard ends: then the oldest of all shards' are the
    /// oldest of the index.
    async fn fill(&mut self, store: &DynamoStore, wanted: usize) -> Result<(), StoreError> {
        let missing = wanted.saturating_sub(self.places.len());
        let Some(span) = self.span.as_mut().filter(|_| missing > 0) else { return Ok(()) };
        let rows = store.query(span, missing).await?;
        self.places.extend(
            rows.iter().map(|row| (text_of(row, "g2sk").unwrap_or_default().to_owned(), key_of(row))),
        );
        // What the index projects is a place in it.
        span.start = rows.last().cloned();
        if rows.len() < missing {
            self.span = None;
        }
        Ok(())
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
    /// Replaces the run by path where it is `held`; `also` is set with it, `guard` must hold beside it.
    fn expression(&self, held: AttributeValue, also: &str, guard: &str) -> Result<Expression, StoreError> {
        let update = format!("SET #r.#k = :n{also}");
        let condition = format!("#r.#k = :e{guard}");
        Ok(Expression::update(&update, &condition)
            .name("r", "r")
            .name("k", &self.id.key.to_string())
            .value("n", attribute(self.key, self.next)?)
            .value("e", held))
    }

    /// The run as it stands in the item, word for word.
    fn stored(&self, row: &Row) -> Option<AttributeValue> {
        row.get("r")?.as_m().ok()?.get(&self.id.key.to_string()).cloned()
    }

    /// The write that goes with the event as it was read.
    fn with_place(
        &self,
        event: &Event,
        held: AttributeValue,
        runs: Option<AttributeValue>,
    ) -> Result<Expression, StoreError> {
        let mut after = event.clone();
        after.runs.insert(self.id.key.clone(), self.next.clone());
        if !self.expected.is_open() && !self.next.is_open() {
            return self.settled(held, runs, &after);
        }
        let Some(due) = after.due() else {
            return self.out_of_due(held, runs, &after);
        };
        if !self.next.is_open() {
            // Others remain, whatever they do meanwhile; their place stands.
            let expression = self.expression(held, ", #o = #o - :one", " AND #o > :one")?;
            return Ok(expression.name("o", "o").value("one", number(1)));
        }
        // The earliest of all open runs: only true of the runs as they were read.
        let open = u64::try_from(after.open_runs()).unwrap_or(u64::MAX);
        let expression = self.expression(held, ", #o = :o, g2pk = :p, g2sk = :d", " AND #r = :r")?;
        let runs = runs.unwrap_or(AttributeValue::Null(true));
        Ok(placed(expression, self.key, due).name("o", "o").value("o", number(open)).value("r", runs))
    }
}

impl RunChange<'_> {
    /// No run is open: out of the due index with the event, to where people look if one went wrong. That depends on
    /// all of its runs, so they must be those that were read.
    fn out_of_due(
        &self,
        held: AttributeValue,
        runs: Option<AttributeValue>,
        after: &Event,
    ) -> Result<Expression, StoreError> {
        let guard = " AND #r = :r";
        let expression = match after.wants_attention() {
            None => self.expression(held, ", #o = :zero REMOVE g2pk, g2sk", guard)?,
            Some(at) => {
                let placed = ", #o = :zero, g2pk = :p, g2sk = :d";
                to_attention(self.expression(held, placed, guard)?, after, at)
            }
        };
        let runs = runs.unwrap_or(AttributeValue::Null(true));
        Ok(expression.name("o", "o").value("zero", number(0)).value("r", runs))
    }

    /// A run that had ended is known better now: as many are open as were. While one is, the event's place is its;
    /// then it is where people look, or nowhere, by all of its runs as they were read.
    fn settled(
        &self,
        held: AttributeValue,
        runs: Option<AttributeValue>,
        after: &Event,
    ) -> Result<Expression, StoreError> {
        if after.due().is_some() {
            let expression = self.expression(held, "", " AND #o > :zero")?;
            return Ok(expression.name("o", "o").value("zero", number(0)));
        }
        self.out_of_due(held, runs, after)
    }
}

/// One run more, where the event's runs still are those that were read.
fn added(
    key: &Key,
    mut event: Event,
    stored: AttributeValue,
    id: &RunId,
    run: &Run,
) -> Result<Expression, StoreError> {
    event.runs.insert(id.key.clone(), run.clone());
    let open = u64::try_from(event.open_runs()).unwrap_or(u64::MAX);
    let due = event.due().unwrap_or(Timestamp::MAX);
    let update = "SET #r.#k = :n, #o = :o, g2pk = :p, g2sk = :d";
    let expression = Expression::update(update, "#r = :r")
        .name("r", "r")
        .name("k", &id.key.to_string())
        .name("o", "o")
        .value("n", attribute(key, run)?)
        .value("o", number(open))
        .value("r", stored);
    Ok(placed(expression, key, due))
}

fn placed(expression: Expression, key: &Key, due: Timestamp) -> Expression {
    expression.value("p", text(due_pk(&key.pk))).value("d", text(time_text(due)))
}

/// Moves an item's place in the due index, or takes it out.
fn place(key: &Key, due: Option<Timestamp>, condition: &str) -> Expression {
    match due {
        Some(due) => placed(Expression::update("SET g2pk = :p, g2sk = :d", condition), key, due),
        None => Expression::update("REMOVE g2pk, g2sk", condition),
    }
}

/// The same for an event, which has another place once it is out: where people look, if a run of it went wrong.
fn event_place(key: &Key, event: &Event, due: Option<Timestamp>, condition: &str) -> Expression {
    match (due, event.wants_attention()) {
        (None, Some(at)) => {
            to_attention(Expression::update("SET g2pk = :p, g2sk = :d", condition), event, at)
        }
        _ => place(key, due, condition),
    }
}

fn to_attention(expression: Expression, event: &Event, at: Timestamp) -> Expression {
    expression.value("p", text(keys::attention_pk(&event.shop))).value("d", text(time_text(at)))
}

impl DynamoStore {
    /// A change that leaves the event's place in the due index as it is.
    async fn replace_run(&self, change: &RunChange<'_>) -> Result<Event, CommitError> {
        // As this program would have written it; if another one did, the failed condition shows its words.
        let mut held = attribute(change.key, change.expected)?;
        for _ in 0..ROUNDS_MAX {
            match self.update(change.key, &change.expression(held, "", "")?).await {
                Ok(row) => return Ok(event_item::from_row(row)?),
                Err(WriteError::Condition(old)) => {
                    let row = old.ok_or(CommitError::LostRace)?;
                    let stored = change.stored(&row).ok_or(CommitError::LostRace)?;
                    let event = event_item::from_row(row)?;
                    match event.runs.get(&change.id.key) {
                        Some(run) if run == change.next => return Ok(event),
                        Some(run) if run == change.expected => held = stored,
                        _ => return Err(CommitError::LostRace),
                    }
                }
                Err(WriteError::Other(error)) => return Err(error),
            }
        }
        Err(CommitError::Conflict)
    }

    /// Moves an event's place if its runs still are the event's.
    async fn place_event(&self, event: &Event, due: Option<Timestamp>) -> Result<(), WriteError> {
        let failed = |error: StoreError| WriteError::Other(error.into());
        let key = keys::event(&event.order, event.seq);
        let mut runs = match event.runs.is_empty() {
            true => None,
            false => Some(attribute(&key, &event.runs).map_err(failed)?),
        };
        for _ in 0..ROUNDS_MAX {
            let expression = match &runs {
                Some(runs) => event_place(&key, event, due, "#r = :r").value("r", runs.clone()),
                None => place(&key, due, "attribute_exists(pk) AND attribute_not_exists(#r)"),
            };
            match self.update(&key, &expression.name("r", "r")).await {
                Ok(_) => return Ok(()),
                // The same runs as another program wrote them?
                Err(WriteError::Condition(Some(row))) => {
                    let stored = row.get("r").cloned();
                    if event_item::from_row(row).map_err(failed)?.runs != event.runs {
                        return Ok(());
                    }
                    runs = stored;
                }
                Err(error) => return Err(error),
            }
        }
        Err(WriteError::Other(CommitError::Conflict))
    }

    /// An item that cannot be read must not keep all others from their turn: it is reported and put off.
    async fn put_off(&self, key: &Key, place_now: String, error: &StoreError, now: Timestamp) {
        tracing::error!(item = key.name(), %error, "a due item cannot be read");
        let expression = place(key, Some(later(now, UNREADABLE_AGAIN)), "g2sk = :was");
        match self.update(key, &expression.value("was", text(place_now))).await {
            Ok(_) | Err(WriteError::Condition(_)) => {}
            Err(error) => {
                tracing::warn!(item = key.name(), error = %error.plain(), "it could not be put off")
            }
        }
    }

    /// A change that moves the event's place or ends a run.
    async fn replace_and_place(&self, change: &RunChange<'_>) -> Result<Event, CommitError> {
        for _ in 0..ROUNDS_MAX {
            let row = self.get(change.key).await?.ok_or(CommitError::LostRace)?;
            let runs = row.get("r").cloned();
            let held = change.stored(&row).ok_or(CommitError::LostRace)?;
            let event = event_item::from_row(row)?;
            match event.runs.get(&change.id.key) {
                Some(run) if run == change.next => return Ok(event),
                Some(run) if run == change.expected => {}
                _ => return Err(CommitError::LostRace),
            }
            match self.update(change.key, &change.with_place(&event, held, runs)?).await {
                Ok(row) => return Ok(event_item::from_row(row)?),
                // A sibling ended or moved between read and write: look again.
                Err(WriteError::Condition(_)) => {}
                Err(WriteError::Other(error)) => return Err(error),
            }
        }
        Err(CommitError::Conflict)
    }
}

/// A place among what people should look at, as a cursor: time, order, event.
fn attention_cursor(place: &Row) -> String {
    let Key { pk, sk } = key_of(place);
    keys::cursor(&format!("{}|{pk}|{sk}", text_of(place, "g2sk").unwrap_or_default()))
}

fn attention_start(pk: &str, cursor: &str) -> Option<Row> {
    let mut parts = cursor.splitn(3, '|');
    let (at, order, event) = (parts.next()?, parts.next()?, parts.next()?);
    let known =
        keys::text_time(at).is_some() && order.starts_with("ORDER#") && event.starts_with(keys::EVENTS);
    let mut row = key_row(&Key::new(order, event));
    row.insert("g2pk".to_owned(), text(pk));
    row.insert("g2sk".to_owned(), text(at));
    known.then_some(row)
}

/// The index may be behind: an item that has got its place among what people should look at is not due, though
/// its time there has passed as well.
fn still_due(row: &Row, now: Timestamp) -> bool {
    let in_due_index = text_of(row, "g2pk").is_some_and(keys::is_due_pk);
    in_due_index
        && text_of(row, "g2sk").is_some_and(|due| due <= time_text(now).as_str())
        && !expired(row, now)
}

fn due_item(row: Row) -> Result<DueItem, StoreError> {
    let sk = key_of(&row).sk;
    if sk.starts_with(keys::EVENTS) {
        event_item::from_row(row).map(|event| DueItem::Event(Box::new(event)))
    } else if sk.starts_with(keys::JOBS) {
        read_document(row).map(|job| DueItem::Job(Box::new(job)))
    } else {
        read_document(row).map(DueItem::Parked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between the index and the item a run may have failed, and its event have moved to where people look.
    #[test]
    fn law_13_what_people_should_look_at_is_not_taken_for_due() {
        let at = |pk: String| {
            Row::from([
                ("g2pk".to_owned(), text(pk)),
                ("g2sk".to_owned(), text(time_text(Timestamp::UNIX_EPOCH))),
            ])
        };
        let now = Timestamp::UNIX_EPOCH;
        assert!(still_due(&at(due_shard(3)), now));
        assert!(!still_due(&at(keys::attention_pk(&ShopId::parse("shop_a").unwrap())), now));
        assert!(!still_due(&Row::new(), now));
    }
}
