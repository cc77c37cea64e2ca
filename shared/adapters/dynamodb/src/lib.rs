//! The store on DynamoDB: one table, conditional writes, no locks of its own.
//!
//! | item | pk | sk |
//! | --- | --- | --- |
//! | order, snapshot | `ORDER#{order}` | `ORDER`, `SNAPSHOT` |
//! | event, frozen webhook body | `ORDER#{order}` | `E#{seq}`, `B#{seq}` |
//! | package, ignored fact | `ORDER#{order}` | `P#{package}`, `I#{content}` |
//! | package index, parked report | `TRACK#{shop}#{number}` | `ORDER#{order}`, `PARKED#{content}` |
//! | settings | `SHOP#{shop}` | `SETTINGS` |
//! | configuration | `SHOP#{shop}` | `FLOW#…` `TEMPLATE#…` `TEMPLATEV#…#{version}` `ENDPOINT#…` `CHANNEL#…` `CARRIER#…` `KEY#…` |
//! | quarantine | `SHOP#{shop}` | `Q#{time}#{content}`, further parts `QPART#…` |
//! | lookups | `CHANNEL#{id}` `CARRIER#{id}` `KEY#{hash}` | `LOOKUP` |
//!
//! GSI1 lists a shop's orders by stage, newest first; it projects what a listing shows and never the
//! version, so that a write which moves nothing does not touch it. GSI2 holds the keys of what is due and
//! nothing else; what it names is read from the table, where it is never stale.
//!
//! All reads of the table are strongly consistent. Every item carries a schema version (`sv`).

mod client;
mod commit;
mod config;
mod error;
mod event_item;
mod expression;
mod inbound;
mod keys;
mod meter;
mod order_item;
mod orders;
mod row;
mod runs;
mod store;
mod table;

pub use client::client;
pub use event_item::event_from_image;
pub use meter::{Meter, Units};
pub use store::DynamoStore;
pub use table::{DUE_SHARDS, create_table, table_definition};
