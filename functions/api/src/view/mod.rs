//! What the API shows. Explicit shapes: what is stored may change without the contract changing.

mod config;
mod jobs;
mod mail;
mod orders;
mod timeline;

pub use config::{CarrierView, ChannelView, EndpointView, KeyView, SettingsView, TemplateLine};
pub use jobs::{GovernorView, JobView, Plan, PlanStep};
pub use mail::{PreviewView, SuppressionView, TestMailView};
pub use orders::{OrderLine, OrderView};
pub use timeline::{EntryView, QuarantineView, RunView};
