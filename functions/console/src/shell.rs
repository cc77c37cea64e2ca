//! The frame around every page: where one is, who one is, what was just done, and what forms carry.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use stagepost_domain::Timestamp;
use stagepost_domain::shop::Role;

use crate::assets;
use crate::ui::Tone;

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// `/orders`
    Orders,
    /// `/simulate`
    Simulate,
    /// `/activity`
    Activity,
    /// `/settings/flows`
    Flows,
    /// `/settings/notifications`
    Notifications,
    /// `/settings/brand`
    Brand,
    /// `/settings/webhooks`
    Webhooks,
    /// `/settings/integrations`
    Integrations,
    /// `/settings/keys`
    Keys,
    /// `/settings/people`
    People,
    /// Nowhere in particular: an error.
    None,
}

impl Area {
    /// Those of daily work.
    pub const WORK: [Self; 3] = [Self::Orders, Self::Simulate, Self::Activity];
    /// Those of the set-up.
    pub const SETTINGS: [Self; 7] = [
        Self::Flows,
        Self::Notifications,
        Self::Brand,
        Self::Webhooks,
        Self::Integrations,
        Self::Keys,
        Self::People,
    ];

    /// As the navigation calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "Orders",
            Self::Simulate => "Simulate",
            Self::Activity => "Activity",
            Self::Flows => "Order Flows",
            Self::Notifications => "Notifications",
            Self::Brand => "Tracking Page",
            Self::Webhooks => "Webhooks",
            Self::Integrations => "Integrations",
            Self::Keys => "API Keys",
            Self::People => "People",
            Self::None => "Stagepost",
        }
    }

    /// Its first page.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Orders => "/orders",
            Self::Simulate => "/simulate",
            Self::Activity => "/activity",
            Self::Flows => "/settings/flows",
            Self::Notifications => "/settings/notifications",
            Self::Brand => "/settings/brand",
            Self::Webhooks => "/settings/webhooks",
            Self::Integrations => "/settings/integrations",
            Self::Keys => "/settings/keys",
            Self::People => "/settings/people",
            Self::None => "/",
        }
    }

    /// Its icon, by the name that `ui/icon.html` knows.
    #[must_use]
    pub fn icon(self) -> &'static str {
        match self {
            Self::Orders => "box",
            Self::Simulate => "play",
            Self::Activity => "pulse",
            Self::Flows => "flow",
            Self::Notifications => "mail",
            Self::Brand => "eye",
            Self::Webhooks => "hook",
            Self::Integrations => "plug",
            Self::Keys => "key",
            Self::People => "people",
            Self::None => "info",
        }
    }
}

/// What the next page says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// Whether it is good news.
    pub tone: Tone,
    /// In words.
    pub text: String,
    /// How to take it back, while that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// How something can be taken back: a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Where the form goes.
    pub action: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
    /// Until when nothing has left.
    pub until: Timestamp,
}

impl Undo {
    /// That time, as scripts read it.
    #[must_use]
    pub fn until_millis(&self) -> i64 {
        self.until.as_millisecond()
    }
}

/// Longest text of a message: it travels in a cookie.
const TEXT_MAX: usize = 600;

impl Flash {
    /// It was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self::new(Tone::Good, text)
    }

    /// It was not done, or not quite, and why.
    pub fn note(text: impl Into<String>) -> Self {
        Self::new(Tone::Warn, text)
    }

    fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text = stagepost_domain::text::truncated(&text.into(), TEXT_MAX);
        Self { tone, text, undo: None }
    }

    /// With a way back.
    #[must_use]
    pub fn with_undo(self, undo: Undo) -> Self {
        Self { undo: Some(undo), ..self }
    }

    /// Without one.
    #[must_use]
    pub fn without_undo(self) -> Self {
        Self { undo: None, ..self }
    }
}

/// The frame of one page.
#[derive(Debug)]
pub struct Shell {
    /// Where one is.
    pub area: Area,
    /// The shop's name.
    pub shop: String,
    /// Who is signed in.
    pub who: String,
    /// What they may do.
    pub role: Role,
    /// What was just done.
    pub flash: Option<Flash>,
    /// Goes into every form: `ui::keys(shell)`.
    pub csrf: String,
    /// Whether they may work with other shops, too.
    pub travels: bool,
    once: String,
    forms: AtomicU32,
}

impl Shell {
    /// The frame of a page of this area.
    pub fn new(area: Area, shop: &str, who: &str, role: Role, csrf: String, once: String) -> Self {
        let (shop, who, forms) = (shop.to_owned(), who.to_owned(), AtomicU32::new(0));
        Self { area, shop, who, role, flash: None, csrf, travels: false, once, forms }
    }

    pub(crate) fn for_person(self, travels: bool) -> Self {
        Self { travels, ..self }
    }

    pub(crate) fn with_flash(self, flash: Option<Flash>) -> Self {
        Self { flash, ..self }
    }

    /// A key for one form of this page, another with every call: the form acts once under it.
    pub fn once(&self) -> String {
        format!("{}-{}", self.once, self.forms.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the visitor works with orders.
    #[must_use]
    pub fn works(&self) -> bool {
        self.role >= Role::Member
    }

    /// Whether the visitor changes configuration.
    #[must_use]
    pub fn configures(&self) -> bool {
        self.role >= Role::Admin
    }

    /// Whether one is there.
    #[must_use]
    pub fn is(&self, area: &Area) -> bool {
        self.area == *area
    }

    /// Where an asset is.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }
}
