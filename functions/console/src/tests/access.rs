//! What a page owes to whoever does not see it: names for its controls, one heading after the other, and no word
//! that leads to nothing. The browser's suite asks more of fewer pages.

use std::collections::BTreeSet;

use http::StatusCode;
use stagepost_app::ports::ConfigChange;
use stagepost_domain::shop::Role;
use stagepost_testkit::build;

use super::{Seen, World};

/// A tag of a page, or the words between two.
enum Piece<'a> {
    Open(&'a str, Vec<(&'a str, &'a str)>),
    Close(&'a str),
    Words(&'a str),
}

/// Reads a page of ours: every value is in double quotes, with those inside it escaped.
fn pieces(mut html: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while let Some((words, rest)) = html.split_once('<') {
        found.push(Piece::Words(words));
        if let Some(rest) = rest.strip_prefix('/') {
            let (name, after) = rest.split_once('>').unwrap();
            found.push(Piece::Close(name));
            html = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap();
        let (name, mut rest) = rest.split_at(end);
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>") {
                found.push(Piece::Open(name, attributes));
                found.push(Piece::Close(name));
                html = after;
                break;
            }
            if let Some(after) = rest.strip_prefix('>') {
                found.push(Piece::Open(name, attributes));
                html = after;
                break;
            }
            let end = rest.find(|c: char| c.is_whitespace() || "/>=".contains(c)).unwrap();
            let (name, after) = rest.split_at(end);
            let quoted = after.strip_prefix("=\"").map(|value| (value, '"'));
            let quoted = quoted.or_else(|| after.strip_prefix("='").map(|value| (value, '\'')));
            let (value, after) = quoted.map_or(("", after), |(value, mark)| value.split_once(mark).unwrap());
            attributes.push((name, value));
            rest = after;
        }
    }
    found
}

const VOID: [&str; 6] = ["input", "br", "hr", "img", "meta", "link"];

/// An element that is open, as far as it is read.
struct Open<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    children: Vec<&'a str>,
    words: String,
}

impl<'a> Open<'a> {
    fn says(&self, attribute: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(name, _)| *name == attribute).map(|(_, value)| *value)
    }

    fn told(&self) -> String {
        let attributes: Vec<_> =
            self.attributes.iter().map(|(name, value)| format!("{name}={value:.60}")).collect();
        format!("<{} {}>", self.name, attributes.join(" "))
    }
}

/// What is missing on a page.
#[derive(Default)]
struct Barriers<'a> {
    ids: BTreeSet<&'a str>,
    /// Ids that something leads to, and from where.
    wanted: Vec<(&'a str, String)>,
    /// Controls that only a `<label for>` can name.
    unnamed: Vec<(&'a str, String)>,
    labels: BTreeSet<&'a str>,
    level: u32,
    found: Vec<String>,
}

impl<'a> Barriers<'a> {
    fn of(html: &'a str) -> Vec<String> {
        let mut all = Self::default();
        let mut open: Vec<Open<'a>> = Vec::new();
        for piece in pieces(html) {
            match piece {
                Piece::Words(words) => open.iter_mut().for_each(|element| element.words.push_str(words)),
                Piece::Open(name, attributes) => {
                    open.iter_mut().last().into_iter().for_each(|parent| parent.children.push(name));
                    let element = Open { name, attributes, children: Vec::new(), words: String::new() };
                    all.begins(&element, &open);
                    if !VOID.contains(&name) && !name.starts_with('!') {
                        open.push(element);
                    }
                }
                Piece::Close(name) => {
                    let element = open.pop().unwrap();
                    if element.name == name {
                        all.ends(&element);
                    } else {
                        all.found.push(format!("{} is closed by </{name}>", element.told()));
                    }
                }
            }
        }
        all.refers_to_nothing();
        all.found
    }

    fn begins(&mut self, element: &Open<'a>, around: &[Open<'a>]) {
        if let Some(id) = element.says("id").filter(|id| !self.ids.insert(id)) {
            self.found.push(format!("two have the id {id}"));
        }
        for name in ["aria-labelledby", "aria-describedby", "for", "aria-controls"] {
            let ids = element.says(name).into_iter().flat_map(str::split_whitespace);
            self.wanted.extend(ids.map(|id| (id, element.told())));
        }
        if element.name == "label" {
            self.labels.extend(element.says("for"));
        }
        let hidden = element.says("type") == Some("hidden");
        if matches!(element.name, "input" | "select" | "textarea") && !hidden {
            let own = element.says("aria-label").is_some_and(|label| !label.trim().is_empty());
            if !own && !around.iter().any(|outer| outer.name == "label") {
                self.unnamed.push((element.says("id").unwrap_or_default(), element.told()));
            }
        }
        if let Some(level) = element.name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok()) {
            if level > self.level + 1 || (level == 1) != (self.level == 0) {
                self.found
                    .push(format!("a heading of level {level} comes after one of level {}", self.level));
            }
            self.level = level;
        }
        if element.name == "img" && element.says("alt").is_none() {
            self.found.push(format!("{} says nothing of itself", element.told()));
        }
    }

    fn ends(&mut self, element: &Open<'a>) {
        let named = element.says("aria-label").is_some() || element.says("title").is_some();
        let speaks = matches!(
            element.name,
            "a" | "button" | "th" | "h1" | "h2" | "h3" | "label" | "legend" | "caption"
        );
        if speaks && element.words.trim().is_empty() && !named {
            self.found.push(format!("{} says nothing", element.told()));
        }
        let only: &[&str] = match element.name {
            "ul" | "ol" => &["li"],
            "dl" => &["dt", "dd", "div"],
            "table" => &["caption", "thead", "tbody"],
            "tbody" | "thead" => &["tr"],
            "tr" => &["th", "td"],
            _ => return,
        };
        if element.children.is_empty() || element.children.iter().any(|child| !only.contains(child)) {
            self.found.push(format!("{} holds {:?}", element.told(), element.children));
        }
    }

    fn refers_to_nothing(&mut self) {
        let gone = self.wanted.iter().filter(|(id, _)| !self.ids.contains(id));
        self.found.extend(gone.map(|(id, from)| format!("{from} leads to {id}, which is not there")));
        let nameless = self.unnamed.iter().filter(|(id, _)| !self.labels.contains(id));
        self.found.extend(nameless.map(|(_, control)| format!("{control} has no label")));
        if self.level == 0 {
            self.found.push("no heading".to_owned());
        }
    }
}

/// The barriers of several pages, so that all of them are told at once.
#[derive(Default)]
struct Walk(Vec<String>);

impl Walk {
    fn reads(&mut self, path: &str, seen: &Seen) {
        self.0.extend(Barriers::of(&seen.body).into_iter().map(|barrier| format!("{path}: {barrier}")));
    }

    fn met_none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

/// A shop in which there is something of everything.
async fn full() -> (World, Vec<String>) {
    let world = World::new().await;
    let shop = build::shop();
    world.save(&shop, ConfigChange::Channel(build::channel(&shop))).await;
    world.save(&shop, ConfigChange::Carrier(build::carrier(&shop))).await;
    let ann = build::member(&shop, "ann", Role::Member);
    let person = format!("/settings/people/{}", ann.id);
    world.save(&shop, ConfigChange::Member(ann)).await;
    let order = world.order(1001).await;
    world.order(1002).await;
    world.post(&format!("/orders/{order}/packages"), &[("number", "1Z1"), ("url", "https://a.test/")]).await;
    world.tell(&order, &build::move_to("packing", 2)).await;
    let template = build::template_id();
    let endpoint = build::endpoint_id();
    let mut paths = vec![
        format!("/orders/{order}"),
        format!("/orders/{order}/renew-link"),
        format!("/orders/{order}/erase"),
        format!("/orders/move?to=stg_ready&order={order}"),
        format!("/simulate?order={order}&step=move:stg_shipped"),
        format!("/settings/notifications/templates/{template}"),
        format!("/settings/notifications/templates/{template}/test"),
        format!("/settings/webhooks/{endpoint}"),
        format!("/settings/webhooks/{endpoint}/edit"),
        format!("/settings/webhooks/{endpoint}/recover"),
        format!("/settings/integrations/channels/{}", build::channel_id()),
        format!("/settings/integrations/channels/{}/backfill", build::channel_id()),
        format!("/settings/integrations/carriers/{}", build::carrier_id()),
        format!("{person}/remove"),
        person,
    ];
    let fixed = [
        "/orders",
        "/orders/board",
        "/orders/new",
        "/orders?q=nothing",
        "/simulate?flow=flow_main&go=true",
        "/simulate?existing=true",
        "/activity",
        "/activity/quarantine",
        "/activity/jobs",
        "/settings/flows",
        "/settings/flows?archived=true",
        "/settings/flows/new",
        "/settings/flows/flow_main",
        "/settings/flows/flow_main/archive",
        "/settings/flows/flow_main/stages/stg_packing",
        "/settings/flows/flow_main/stages/stg_packing/delete",
        "/settings/notifications",
        "/settings/notifications/new",
        "/settings/notifications/new?starter=blank",
        "/settings/notifications/sending",
        "/settings/notifications/suppressed",
        "/settings/brand",
        "/settings/webhooks",
        "/settings/webhooks/new",
        "/settings/integrations",
        "/settings/integrations/connect/shopify",
        "/settings/integrations/connect/generic",
        "/settings/keys",
        "/settings/keys/new",
        "/settings/people",
        "/settings/people/invite",
    ];
    paths.extend(fixed.map(str::to_owned));
    (world, paths)
}

#[tokio::test]
async fn every_control_has_a_name_and_every_reference_an_end() {
    let ((world, paths), mut walk) = (full().await, Walk::default());
    for role in [Role::Owner, Role::Viewer] {
        world.sign_in(&build::shop(), role).await;
        for path in &paths {
            let seen = world.get(path).await;
            assert!(
                seen.status.is_success() || (role, seen.status) == (Role::Viewer, StatusCode::FORBIDDEN),
                "{path}"
            );
            walk.reads(path, &seen);
        }
    }
    let outside = World::outside();
    walk.reads("/sign-in", &outside.get("/sign-in").await);
    walk.met_none();
}

#[tokio::test]
async fn a_page_of_which_nothing_is_set_up_has_no_barrier_either() {
    let (world, mut walk) = (World::outside(), Walk::default());
    world.bare(&build::shop()).await;
    world.sign_in(&build::shop(), Role::Owner).await;
    for area in crate::shell::Area::WORK.iter().chain(&crate::shell::Area::SETTINGS) {
        walk.reads(area.path(), &world.get(area.path()).await);
    }
    let made = world.post("/settings/flows", &[("name", "Mine")]).await;
    let (flow, seen) = (made.to().to_owned(), world.get(made.to()).await);
    assert!(seen.says("Mine is there") && seen.says("data-row"));
    walk.reads("a blank flow that was just made", &seen);
    assert!(seen.says(">Name of the new stage</label>"));
    let stage = seen.value("row");
    let form = [("version", seen.value("version")), ("row", stage.clone()), ("name", String::new())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = world.post(&flow, &form).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    walk.reads("a flow that was refused", &refused);
    walk.reads("its stage", &world.get(&format!("{flow}/stages/{stage}")).await);
    walk.met_none();
}

#[tokio::test]
async fn a_form_that_comes_back_says_why_where_it_can_be_heard() {
    let ((world, _), mut walk) = (full().await, Walk::default());
    let wrong = [
        ("color", "red"),
        ("logo", "x"),
        ("name", ""),
        ("url", "x"),
        ("header_name", "Host"),
        ("header_value", "a"),
        ("sent", "yes"),
    ];
    for path in [
        "/orders",
        "/settings/webhooks/new",
        "/settings/keys/new",
        "/settings/people/invite",
        "/settings/integrations/connect/shopify",
        "/settings/integrations/channels/chan_store",
        "/settings/notifications/new",
        "/settings/notifications/sending",
        "/settings/brand",
    ] {
        let seen = world.post(path, &wrong).await;
        assert!(seen.status.is_client_error(), "{path}");
        walk.reads(path, &seen);
    }
    walk.met_none();
}
