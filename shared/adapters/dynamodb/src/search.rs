//! The search: entries in a partition of the shop, and beside each order the list of its own.
//!
//! Both are written in one transaction over the list's revision, so that the list is always the truth: what it
//! names is there, and nothing else is.

use std::collections::BTreeSet;

use serde::Serialize;
use stagepost_app::ports::{CommitError, Indexed, SearchStore, Searchable, StoreError};
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::search::Entry;

use crate::commit::{Cancelled, Step, condition_failed, unconditional};
use crate::expression::{Expression, absent};
use crate::keys::{self, Key};
use crate::order_item;
use crate::row::{
    Row, corrupt, document, fields, key_of, key_row, number, number_of, read_document, text_of,
};
use crate::store::{DynamoStore, Span};
use crate::table::SK;

/// The list's revision.
const REVISION: &str = "r";

impl SearchStore for DynamoStore {
    async fn searchable(&self, id: &OrderId) -> Result<Option<Searchable>, StoreError> {
        let wanted = [keys::order(id), keys::snapshot(id), keys::found(id)];
        let rows = self.get_all(&wanted).await?;
        let list = rows.iter().find(|row| text_of(row, SK) == Some(keys::FOUND)).cloned();
        let indexed = list.map(indexed).transpose()?.unwrap_or_default();
        let found = paired(rows)?.into_iter().next();
        Ok(found.map(|(order, snapshot)| Searchable { order, snapshot, indexed }))
    }

    async fn index(
        &self,
        shop: &ShopId,
        order: &OrderId,
        was: &Indexed,
        entries: &BTreeSet<Entry>,
    ) -> Result<(), CommitError> {
        let steps = steps(shop, order, was, entries)?;
        match self.write_all(order.as_str(), &steps).await {
            Ok(()) => Ok(()),
            Err(Cancelled::Other(error)) => Err(error),
            Err(Cancelled::Reasons(reasons)) if condition_failed(reasons.first()) => {
                Err(CommitError::LostRace)
            }
            Err(Cancelled::Reasons(reasons)) => Err(unconditional(&reasons)),
        }
    }

    async fn entries(
        &self,
        shop: &ShopId,
        prefix: &str,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut span = Span::prefix(keys::find_pk(shop), prefix);
        span.start = after.map(|entry| key_row(&place(shop, entry)));
        let rows = self.query(&span, limit).await?;
        let entry = |row: &Row| {
            let found = text_of(row, SK).and_then(Entry::parse);
            found.ok_or_else(|| corrupt(keys::find_pk(shop), "an entry leads to no order"))
        };
        rows.iter().map(entry).collect()
    }

    async fn found(&self, ids: &[OrderId]) -> Result<Vec<(Order, Option<Snapshot>)>, StoreError> {
        let wanted: Vec<Key> = ids.iter().flat_map(|id| [keys::order(id), keys::snapshot(id)]).collect();
        paired(self.get_all(&wanted).await?)
    }
}

/// An entry is its key.
#[derive(Serialize)]
struct Nothing {}

fn place(shop: &ShopId, entry: &Entry) -> Key {
    Key::new(keys::find_pk(shop), entry.as_str())
}

fn steps(
    shop: &ShopId,
    order: &OrderId,
    was: &Indexed,
    entries: &BTreeSet<Entry>,
) -> Result<Vec<Step>, StoreError> {
    let mut list = document(&keys::found(order), entries)?;
    list.insert(REVISION.to_owned(), number(was.revision.saturating_add(1)));
    let condition = match was.revision {
        0 => absent(),
        read => Expression::condition("#r = :r").name("r", REVISION).value("r", number(read)),
    };
    let mut steps = vec![Step::Put(list, Some(condition))];
    for fresh in entries.difference(&was.entries) {
        steps.push(Step::Put(fields(&place(shop, fresh), &Nothing {})?, None));
    }
    steps.extend(was.entries.difference(entries).map(|gone| Step::Delete(place(shop, gone))));
    Ok(steps)
}

pub(crate) fn indexed(row: Row) -> Result<Indexed, StoreError> {
    let revision = number_of(&row, REVISION)
        .ok_or_else(|| corrupt(key_of(&row).name(), "the list of entries has no revision"))?;
    Ok(Indexed { entries: read_document(row)?, revision })
}

/// Orders with their snapshots, out of rows in no order.
fn paired(rows: Vec<Row>) -> Result<Vec<(Order, Option<Snapshot>)>, StoreError> {
    let (mut orders, mut snapshots) = (Vec::new(), std::collections::HashMap::new());
    for row in rows {
        match text_of(&row, SK) {
            Some(keys::ORDER) => orders.push(order_item::from_row(row)?),
            Some(keys::SNAPSHOT) => {
                snapshots.insert(key_of(&row).pk, read_document::<Snapshot>(row)?);
            }
            _ => {}
        }
    }
    let with_snapshot = |order: Order| {
        let snapshot = snapshots.remove(&keys::order_pk(&order.id));
        (order, snapshot)
    };
    Ok(orders.into_iter().map(with_snapshot).collect())
}
