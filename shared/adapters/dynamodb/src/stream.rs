//! The table's stream, as far as it matters to `dispatch`: what came in new.

use stagepost_app::mail::ports::AskedMail;
use stagepost_app::ports::StoreError;
use stagepost_domain::event::Event;
use stagepost_domain::job::Job;

use crate::row::{Row, key_of, read_document};
use crate::{event_item, keys};

/// A new item that somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// What happened to an order.
    Event(Box<Event>),
    /// Work over many orders.
    Job(Box<Job>),
    /// Somebody waits for a mail.
    Mail(Box<AskedMail>),
}

/// The item of an `INSERT`'s new image; `None` if nobody waits for items of its kind.
///
/// # Errors
/// It is of such a kind, but not readable.
pub fn inserted(image: serde_dynamo::Item) -> Result<Option<Inserted>, StoreError> {
    let row: Row = image.into();
    let key = key_of(&row);
    if key.sk.starts_with(keys::EVENTS) {
        return event_item::from_row(row).map(|event| Some(Inserted::Event(Box::new(event))));
    }
    if key.sk.starts_with(keys::JOBS) {
        return read_document(row).map(|job| Some(Inserted::Job(Box::new(job))));
    }
    if key.sk.starts_with(keys::ASKED_MAILS) {
        return read_document(row).map(|mail| Some(Inserted::Mail(Box::new(mail))));
    }
    Ok(None)
}

/// How a new job looks in the stream. For whoever plays the stream.
///
/// # Errors
/// It cannot be written.
pub fn job_image(job: &Job) -> Result<serde_dynamo::Item, StoreError> {
    Ok(crate::jobs::to_row(job)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use stagepost_domain::Timestamp;
    use stagepost_domain::event::{Cause, Change};
    use stagepost_domain::id::{ChannelId, JobId, OrderId, ShopId, TemplateId};
    use stagepost_domain::job::JobKind;
    use stagepost_domain::run::{Run, RunKey, Target};

    fn event() -> Event {
        let key = RunKey::first(Target::Email(TemplateId::parse("tmpl_a").unwrap()));
        Event {
            order: OrderId::parse("ord_a").unwrap(),
            shop: ShopId::parse("shop_a").unwrap(),
            seq: 7,
            at: Timestamp::UNIX_EPOCH,
            fact_at: None,
            cause: Cause::Platform { channel: None },
            change: Change::Updated,
            transition: None,
            refused: None,
            tripped: true,
            runs: BTreeMap::from([(key, Run::pending(Timestamp::MAX, 3))]),
        }
    }

    #[test]
    fn a_streams_image_is_read_back_as_what_was_written() {
        let image = event_item::event_image(&event()).unwrap();
        assert_eq!(inserted(image).unwrap(), Some(Inserted::Event(Box::new(event()))));
        let kind = JobKind::Backfill { channel: ChannelId::parse("chan_a").unwrap(), since: Timestamp::MAX };
        let shop = ShopId::parse("shop_a").unwrap();
        let job = Job::new(JobId::parse("job_a").unwrap(), shop, kind, Timestamp::UNIX_EPOCH);
        let image = job_image(&job).unwrap();
        assert_eq!(inserted(image).unwrap(), Some(Inserted::Job(Box::new(job))));
    }

    #[test]
    fn a_streams_image_of_anything_else_is_nothing() {
        let key = keys::snapshot(&event().order);
        let image: serde_dynamo::Item = crate::row::document(&key, &"people").unwrap().into();
        assert_eq!(inserted(image).unwrap(), None);
    }
}
