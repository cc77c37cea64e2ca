//! What the API shows. Explicit shapes: what is stored may change without the contract changing.

mod attempts;
mod config;
mod endpoints;
mod jobs;
mod mail;
mod orders;
mod timeline;

pub use attempts::AttemptView;
pub use config::{
    BrandView, CarrierView, ChannelView, FlowView, KeyView, MemberView, SettingsView, TemplateLine,
};
pub use endpoints::{EndpointView, RecoveryView};
pub use jobs::{GovernorView, JobView, Plan, PlanStep, RecoverableView};
pub use mail::{PreviewView, SenderView, SuppressionView, TestMailView};
pub use orders::{OrderLine, OrderView};
pub use timeline::{EntryView, QuarantineView, RunView};
