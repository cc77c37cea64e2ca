//! What mails need beside runs, in memory.

use std::ops::Bound;

use stagepost_app::mail::asked::KEPT;
use stagepost_app::mail::ports::{
    AskedMail, AskedMailStore, Asker, Counted, Hourly, Line, PaceStore, SuppressionStore, TallyStore,
};
use stagepost_app::ports::{CommitError, Page, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::governor::Tally;
use stagepost_domain::id::{MailId, ShopId, SuppressionId};
use stagepost_domain::run::later;
use stagepost_domain::suppression::Suppression;

use super::{MemoryStore, bad_cursor};

impl SuppressionStore for MemoryStore {
    async fn suppression(
        &self,
        shop: &ShopId,
        id: &SuppressionId,
    ) -> Result<Option<Suppression>, StoreError> {
        Ok(self.lock().suppressions.get(&(shop.clone(), id.clone())).cloned())
    }

    async fn suppress(&self, suppression: &Suppression) -> Result<Suppression, StoreError> {
        let key = (suppression.shop.clone(), suppression.id.clone());
        let mut kept = suppression.clone();
        self.write_plain(|state| {
            kept = state.suppressions.entry(key).or_insert_with(|| suppression.clone()).clone();
        })?;
        Ok(kept)
    }

    async fn suppressions(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        let after = cursor.map(SuppressionId::parse).transpose().map_err(|_| bad_cursor())?;
        let state = self.lock();
        let from = match after {
            Some(id) => Bound::Excluded((shop.clone(), id)),
            None => Bound::Unbounded,
        };
        let behind = state.suppressions.range((from, Bound::Unbounded));
        let mut items: Vec<Suppression> =
            behind.filter(|((of, _), _)| of == shop).map(|(_, s)| s.clone()).take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|item| item.id.to_string());
        Ok(Page { items, next })
    }

    async fn unsuppress(&self, shop: &ShopId, id: &SuppressionId) -> Result<(), StoreError> {
        self.write_plain(|state| {
            state.suppressions.remove(&(shop.clone(), id.clone()));
        })
    }
}

impl PaceStore for MemoryStore {
    async fn move_line(
        &self,
        sender: &str,
        seen: Option<Timestamp>,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<Line, StoreError> {
        let mut found = Line::Moved;
        self.write_plain(|state| {
            let free = state.lines.get(sender).copied();
            match (free, seen) {
                (Some(free), Some(seen)) if free != seen => found = Line::At(free),
                (Some(free), None) if free > now => found = Line::At(free),
                _ => {
                    state.lines.insert(sender.to_owned(), next);
                }
            }
        })?;
        Ok(found)
    }
}

impl TallyStore for MemoryStore {
    async fn count_fate(&self, shop: &ShopId, week: i64, what: Counted) -> Result<Tally, StoreError> {
        let mut after = Tally::default();
        self.write_plain(|state| {
            let tally = state.tallies.entry((shop.clone(), week)).or_default();
            match what {
                Counted::Delivered => tally.known += 1,
                Counted::Bounced => (tally.known, tally.bounced) = (tally.known + 1, tally.bounced + 1),
                Counted::Complained => tally.complained += 1,
            }
            after = *tally;
        })?;
        Ok(after)
    }

    async fn tally(&self, shop: &ShopId, week: i64) -> Result<Tally, StoreError> {
        Ok(self.lock().tallies.get(&(shop.clone(), week)).copied().unwrap_or_default())
    }
}

impl AskedMailStore for MemoryStore {
    async fn asked_mail(
        &self,
        asker: &Asker,
        id: &MailId,
        now: Timestamp,
    ) -> Result<Option<AskedMail>, StoreError> {
        let there = self.lock().asked_mails.get(&(asker.clone(), id.clone())).cloned();
        Ok(there.filter(|mail| now < later(mail.at, KEPT)))
    }

    async fn put_asked_mail(&self, mail: &AskedMail) -> Result<(), CommitError> {
        self.write(|state| {
            let key = (mail.asker(), mail.id.clone());
            let stored = state.asked_mails.get(&key);
            if stored == Some(mail) {
                return Ok(());
            }
            if stored.map_or(0, |there| there.version).saturating_add(1) != mail.version {
                return Err(CommitError::LostRace);
            }
            state.asked_mails.insert(key, mail.clone());
            Ok(())
        })
    }

    async fn count_hourly(&self, what: Hourly<'_>, hour: i64) -> Result<u64, StoreError> {
        let mut count = 0;
        self.write_plain(|state| {
            let mails = state.hourly.entry((format!("{what:?}"), hour)).or_default();
            *mails = mails.saturating_add(1);
            count = *mails;
        })?;
        Ok(count)
    }
}
