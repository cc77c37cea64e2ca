//! The store on DynamoDB: one table, conditional writes, no locks of its own.
//!
//! | item | pk | sk |
//! | --- | --- | --- |
//! | order, snapshot | `ORDER#{order}` | `ORDER`, `SNAPSHOT` |
//! | event, frozen webhook body | `ORDER#{order}` | `E#{seq}`, `B#{seq}` |
//! | package, ignored fact | `ORDER#{order}` | `P#{package}`, `I#{content}` |
//! | search: its entries, an order's own | `FIND#{shop}`, `ORDER#{order}` | `N#…` `W#…` `M#…`, `FOUND` |
//! | package index, parked report | `TRACK#{shop}#{number}` | `ORDER#{order}`, `PARKED#{content}` |
//! | settings | `SHOP#{shop}` | `SETTINGS` |
//! | job, governor | `SHOP#{shop}` | `JOB#{job}`, `GOVERNOR` |
//! | mails of a window | `MAILS#{shop}` | `W#{window}` |
//! | configuration | `SHOP#{shop}` | `FLOW#…` `TEMPLATE#…` `TEMPLATEV#…#{version}` `ENDPOINT#…` `CHANNEL#…` `CARRIER#…` `KEY#…` |
//! | quarantine, the body's parts | `SHOP#{shop}` | `Q#{id}`, `QPART#{id}#{n}` |
//! | lookups | `CHANNEL#{id}` `CARRIER#{id}` `KEY#{hash}` | `LOOKUP` |
//! | call under an idempotency key | `CALL#{shop}#{hash}` | `CALL` |
//!
//! GSI1 lists a shop's orders by stage, newest first; it projects what a listing shows and never the
//! version, so that a write which moves nothing does not touch it. GSI2 holds the keys of what is due and
//! nothing else; what it names is read from the table, where it is never stale.
//!
//! All reads of the table are strongly consistent. Every item carries a schema version (`sv`).
//!
//! # Reads that meet a transaction half-way
//!
//! A transaction writes all or nothing, but a batch read or a query beside it may find one of its items
//! written and another not yet. A new order with an old package or snapshot would be decided on, the order's
//! version would still be right, and the old would be written over the new. So the items say which of them
//! belong together, in attributes that never leave this crate:
//!
//! - the order counts the writes of its packages (`pw`), each package its own (`n`); packages are never
//!   deleted, so the sums agree exactly when every write that the order knows of is there to be read, and no
//!   other. Packages are queried together with the order between whose key and theirs nothing lies: no
//!   round trip more;
//! - the order knows the version at which its snapshot changed last (`so`), the snapshot the version that
//!   wrote it (`ov`).
//!
//! Where they disagree, both are read again, a few times within a second. The counts are `ADD`ed by updates,
//! which leave alone what a write says nothing of: no write reads before it writes, and none costs a unit
//! more than a put. Items of before these attributes count as zero on both sides.

mod attempts;
mod audit;
mod calls;
mod client;
mod commit;
mod config;
mod contact;
mod erase;
mod error;
mod event_item;
mod expression;
#[cfg(test)]
mod fixtures;
mod governor;
mod health;
mod inbound;
mod jobs;
mod keys;
mod mail;
mod meter;
mod order_item;
mod orders;
mod patience;
mod people;
mod row;
mod runs;
#[cfg(test)]
mod scripted;
mod search;
mod store;
mod stream;
mod table;
mod warm;

pub use client::{client, client_over};
pub use event_item::event_image;
pub use meter::{Meter, Units};
pub use store::DynamoStore;
pub use stream::{Inserted, inserted, job_image};
pub use table::{DUE_SHARDS, create_table, table_definition};
