//! Order flows and their stages.

use http::StatusCode;
use stagepost_app::ports::{ConfigChange, ConfigStore, JobStore};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::ShopId;
use stagepost_domain::job::JobKind;
use stagepost_domain::shop::{MailMode, Role};
use stagepost_testkit::build;

use super::World;

const LIST: &str = "/settings/flows";
const FLOW: &str = "/settings/flows/flow_main";
const PREVIEW: &str = "/settings/flows/flow_main/preview";
const PACKING: &str = "/settings/flows/flow_main/stages/stg_packing";
const NEW: &str = "/settings/flows/flow_main/stages/stg_new";

impl World {
    async fn flow(&self) -> Flow {
        self.store.flow(&build::shop(), &build::flow_id()).await.unwrap().unwrap()
    }

    /// Somebody else edits the flow: it has another version.
    async fn edited(&self, change: impl FnOnce(&mut Flow)) {
        let mut flow = self.flow().await;
        change(&mut flow);
        flow.version += 1;
        self.save(&build::shop(), ConfigChange::Flow(flow)).await;
    }

    /// Another store, so that nothing is surprising about the demo flow.
    async fn connected(&self) {
        let shop = build::shop();
        self.save(&shop, ConfigChange::Channel(build::channel(&shop))).await;
        let mut carrier = build::carrier(&shop);
        carrier.credentials = Some(stagepost_domain::shop::Sealed("x".to_owned()));
        self.save(&shop, ConfigChange::Carrier(carrier)).await;
    }
}

/// The form of the flow as a browser sends it.
fn form(flow: &Flow) -> Vec<(String, String)> {
    let mut form = vec![("version".to_owned(), flow.version.to_string()), ("name".into(), flow.name.clone())];
    for stage in &flow.stages {
        form.push(("row".into(), stage.id.to_string()));
        form.push((format!("stages[{}].name", stage.id), stage.name.clone()));
        form.push((format!("stages[{}].color", stage.id), "#8a8f98".into()));
    }
    form.push(("row".into(), "new-1".into()));
    form.push(("stages[new-1].name".into(), String::new()));
    form.push(("stages[new-1].color".into(), "#2563eb".into()));
    form.push(("default_stage".into(), flow.default_stage.to_string()));
    let fulfilled = flow.fulfilled_stage.as_ref().map(ToString::to_string).unwrap_or_default();
    form.push(("fulfilled_stage".into(), fulfilled));
    form.push(("fulfilled_when".into(), "complete".into()));
    form
}

fn with(mut form: Vec<(String, String)>, name: &str, value: &str) -> Vec<(String, String)> {
    match form.iter_mut().find(|(key, _)| key == name) {
        Some((_, old)) => *old = value.to_owned(),
        None => form.push((name.to_owned(), value.to_owned())),
    }
    form
}

fn lent(form: &[(String, String)]) -> Vec<(&str, &str)> {
    form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The form of the stage Packing as it is.
fn packing(version: &str) -> Vec<(String, String)> {
    let on = [
        ("version", version),
        ("name", "Packing"),
        ("color", "#8a8f98"),
        ("description", ""),
        ("customer_visible", "on"),
        ("automations.email.enabled", "on"),
        ("automations.email.template", "tmpl_news"),
        ("automations.webhook.enabled", "on"),
        ("automations.webhook.endpoint", "ep_hook"),
    ];
    on.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn without(mut form: Vec<(String, String)>, name: &str) -> Vec<(String, String)> {
    form.retain(|(key, _)| key != name);
    form
}

#[tokio::test]
async fn the_list_shows_stages_stores_and_automations() {
    let world = World::new().await;
    world.connected().await;
    let seen = world.get(LIST).await;
    for text in ["Main", "Ready to ship", "New orders of Demo store", "7 automations"] {
        assert!(seen.says(text), "{text}");
    }
    assert!(!seen.says("warning") && !seen.says("archived"));
}

#[tokio::test]
async fn an_empty_shop_begins_with_a_starter_or_a_blank_flow() {
    let world = World::new().await;
    world.edited(|flow| flow.archived_at = Some(build::at(build::START))).await;
    let seen = world.get(LIST).await;
    for text in ["Begin with a flow", "Made to order", "Simple shipping", "Pickup", "1 archived flow"] {
        assert!(seen.says(text), "{text}");
    }
    assert!(world.get("/settings/flows?archived=true").await.says("Main"));
    assert_eq!(world.get(FLOW).await.status, StatusCode::NOT_FOUND);
    let made = world.post(LIST, &[("starter", "made_to_order")]).await;
    let page = world.get(made.to()).await;
    for text in ["Made to order", "Nothing is sent until", "Printing", "Delivered"] {
        assert!(page.says(text), "{text}");
    }
    let blank = world.post(LIST, &[("name", "Mine")]).await;
    assert!(world.get(blank.to()).await.says("Mine"));
    let nameless = world.post(LIST, &[("name", " ")]).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nameless.says("Name must not be empty"));
    assert_eq!(world.post(LIST, &[("starter", "x")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_starter_tells_nobody_anything() {
    let world = World::new().await;
    for starter in stagepost_domain::flow::starters::ALL {
        assert_eq!(world.post(LIST, &[("starter", starter.key)]).await.status, StatusCode::SEE_OTHER);
    }
    let flows = world.store.flows(&build::shop()).await.unwrap();
    let made: Vec<_> = flows.iter().filter(|flow| flow.id != build::flow_id()).collect();
    assert_eq!(made.len(), 3);
    assert!(made.iter().flat_map(|flow| &flow.stages).all(|stage| stage.automations.acting() == 0));
}

#[tokio::test]
async fn a_flow_is_saved_as_one_edit() {
    let world = World::new().await;
    let flow = world.flow().await;
    let mut form = with(form(&flow), "name", "Prints");
    form = with(form, "stages[stg_packing].name", "Packed");
    form = with(form, "stages[stg_packing].color", "#112233");
    form = with(form, "stages[new-1].name", "Collected");
    form = with(form, "fulfilled_stage", "new-1");
    form = with(form, "fulfilled_when", "first");
    let seen = world.post(FLOW, &lent(&form)).await;
    assert_eq!((seen.status, seen.to()), (StatusCode::SEE_OTHER, FLOW));
    let saved = world.flow().await;
    assert_eq!((saved.version, saved.name.as_str(), saved.stages.len()), (flow.version + 1, "Prints", 6));
    assert_eq!(
        (saved.stages[1].name.as_str(), saved.stages[1].color.as_deref()),
        ("Packed", Some("#112233"))
    );
    assert_eq!(saved.fulfilled_stage.as_ref(), Some(&saved.stages[5].id));
    assert_eq!(saved.fulfilled_when, stagepost_domain::flow::FulfilledWhen::First);
    // What the form does not show stays.
    assert_eq!(saved.stages[1].automations, flow.stages[1].automations);
    assert_eq!(saved.stages[0].color, None);
    assert!(world.get(FLOW).await.says("The flow is saved."));
}

#[tokio::test]
async fn arrows_put_stages_in_order_without_a_script_and_saving_keeps_it() {
    let world = World::new().await;
    let flow = world.flow().await;
    let moved = world.post(PREVIEW, &lent(&with(form(&flow), "do", "up:stg_packing"))).await;
    assert_eq!(moved.status, StatusCode::OK);
    let place = |id: &str| moved.body.find(&format!("data-row=\"{id}\"")).unwrap();
    assert!(place("stg_packing") < place("stg_new"));
    assert!(!moved.says("data-unsaved hidden"));
    assert_eq!(world.flow().await, flow, "nothing is saved by it");
    let mut form = form(&flow);
    form.sort_by_key(|(name, value)| name == "row" && value == "stg_new");
    assert_eq!(world.post(FLOW, &lent(&form)).await.status, StatusCode::SEE_OTHER);
    let saved = world.flow().await;
    assert_eq!(saved.stages.last().unwrap().id, build::stage_id("new"));
    assert_eq!(saved.default_stage, build::stage_id("new"));
}

#[tokio::test]
async fn another_row_is_added_without_a_script() {
    let world = World::new().await;
    let flow = world.flow().await;
    let form = with(with(form(&flow), "stages[new-1].name", "Collected"), "do", "add");
    let seen = world.post(PREVIEW, &lent(&form)).await;
    assert!(seen.says("value=\"Collected\"") && seen.says("stages[new-2].name"));
    assert!(seen.says("<option value=\"new-1\">Collected</option>"), "orders can go there already");
    assert_eq!(world.flow().await, flow);
}

#[tokio::test]
async fn buttons_that_save_nothing_leave_the_forms_key_for_the_save() {
    let world = World::new().await;
    let flow = world.flow().await;
    let page = world.get(FLOW).await;
    let preview = format!("formaction=\"{PREVIEW}\"");
    assert_eq!(
        page.body.matches(&preview).count(),
        2 * flow.stages.len() + 1,
        "two arrows each, and the row"
    );
    let keys = [("csrf".to_owned(), page.value("csrf")), ("once".to_owned(), page.value("once"))];
    let mut form = [&keys[..], &form(&flow)].concat();
    for wish in ["add", "up:stg_packing", "down:stg_packing"] {
        form = with(form, "do", wish);
        let seen = world.post_as_it_is(PREVIEW, &lent(&form)).await;
        assert_eq!(seen.status, StatusCode::OK, "{wish}");
        assert!(seen.says("data-guard=\"changed\""), "{wish}");
    }
    let form = without(with(form, "name", "Prints"), "do");
    assert_eq!(world.post_as_it_is(FLOW, &lent(&form)).await.to(), FLOW);
    assert_eq!(world.flow().await.name, "Prints");
    let stale = world.post(PREVIEW, &lent(&form)).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "somebody has saved it since");
    world.sign_in(&build::shop(), Role::Member).await;
    assert_eq!(world.post(PREVIEW, &lent(&form)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_refused_stands_at_its_field_with_what_was_entered() {
    let world = World::new().await;
    let flow = world.flow().await;
    let form = with(with(form(&flow), "name", ""), "stages[stg_packing].name", "shipped");
    let seen = world.post(FLOW, &lent(&form)).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("Name must not be empty.") && seen.says("Name is the name of another stage already."));
    assert!(seen.says("value=\"shipped\"") && seen.says("2 fields need another look"));
    assert_eq!(world.flow().await, flow);
}

#[tokio::test]
async fn a_stale_edit_of_a_flow_shows_both_and_loses_nothing() {
    let world = World::new().await;
    let stale = world.flow().await;
    world
        .edited(|flow| {
            flow.name = "Theirs".to_owned();
            flow.stages.push(build::stage("returned", "Returned"));
        })
        .await;
    let mine = with(form(&stale), "name", "Mine");
    let seen = world.post(FLOW, &lent(&mine)).await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    assert!(seen.says("Somebody else saved this flow meanwhile"));
    assert!(seen.says("<td data-label=\"Saved now:\">Theirs</td>") && seen.says("value=\"Mine\""));
    assert_eq!(world.flow().await.name, "Theirs");
    // Their new stage is in the form, so that saving mine takes nothing of theirs away unseen.
    assert!(seen.says("data-row=\"stg_returned\""));
    let again = with(form(&world.flow().await), "name", "Mine");
    assert_eq!(seen.value("version"), world.flow().await.version.to_string());
    assert_eq!(world.post(FLOW, &lent(&again)).await.status, StatusCode::SEE_OTHER);
    assert_eq!((world.flow().await.name.as_str(), world.flow().await.stages.len()), ("Mine", 6));
}

#[tokio::test]
async fn a_stage_page_says_what_will_happen_and_saves_it() {
    let world = World::new().await;
    world.connected().await;
    let seen = world.get(PACKING).await;
    for text in [
        "Send Email Notification",
        "Trigger Webhook",
        "Advance on Delivery",
        "Mark fulfilled on platform",
        "Notify customer",
        "News",
        "Warehouse",
        "10 seconds later",
        "now it is <a href=\"/settings/flows/flow_main/stages/stg_delivered\">Delivered</a>",
        "/simulate?stage=stg_packing",
    ] {
        assert!(seen.says(text), "{text}");
    }
    let form = with(without(packing("1"), "automations.webhook.enabled"), "description", "Being packed");
    let form = with(without(form, "customer_visible"), "automations.fulfill.enabled", "on");
    let seen = world.post(PACKING, &lent(&form)).await;
    assert_eq!((seen.status, seen.to()), (StatusCode::SEE_OTHER, PACKING));
    let saved = world.flow().await;
    let stage = &saved.stages[1];
    assert_eq!((saved.version, stage.customer_visible), (2, false));
    assert_eq!(stage.description.as_deref(), Some("Being packed"));
    let automations = &stage.automations;
    assert!(automations.email.as_ref().unwrap().enabled && automations.fulfill.as_ref().unwrap().enabled);
    // Switched off, it keeps its setting.
    let webhook = automations.webhook.as_ref().unwrap();
    assert!(!webhook.enabled && webhook.endpoint == build::endpoint_id());
}

#[tokio::test]
async fn law_4_enabling_an_automation_says_that_orders_in_the_stage_stay_as_they_are() {
    let on = |version: &str| {
        let form = [
            ("version", version),
            ("name", "New"),
            ("color", "#8a8f98"),
            ("customer_visible", "on"),
            ("automations.email.enabled", "on"),
            ("automations.email.template", "tmpl_news"),
        ];
        form.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    for (orders, says) in [
        (0, "no order is in it yet."),
        (1, "the one that is in it stays as it is."),
        (2, "the 2 that are in it stay as they are."),
    ] {
        let world = World::new().await;
        for n in 0..orders {
            world.order(1_000 + n).await;
        }
        world.post(NEW, &lent(&on("1"))).await;
        let seen = world.get(NEW).await;
        let law = format!("Acts on orders that enter the stage from now on; {says}");
        assert!(seen.says(&law), "{law}");
        // It was on already: nothing new to say.
        world.post(NEW, &lent(&on("2"))).await;
        let seen = world.get(NEW).await;
        assert!(seen.says("The stage is saved.") && !seen.says("from now on"));
    }
}

#[tokio::test]
async fn a_stage_without_a_template_or_with_a_second_delivery_is_refused_at_the_switch() {
    let world = World::new().await;
    let form = with(packing("1"), "automations.email.template", "");
    let form = with(form, "name", "Boxing");
    let seen = world.post(PACKING, &lent(&form)).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("Template must be chosen.") && seen.says("value=\"Boxing\""));
    let second = with(packing("1"), "automations.advance_on_delivery.enabled", "on");
    let seen = world.post(PACKING, &lent(&second)).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("already advances on delivery; only one stage of a flow can"));
    assert!(seen.says("Only one stage of a flow can do this"));
    let foreign = with(packing("1"), "automations.webhook.endpoint", "ep_theirs");
    let seen = world.post(PACKING, &lent(&foreign)).await;
    assert!(seen.says("Endpoint no such webhook endpoint."));
    assert_eq!(world.flow().await.version, 1);
}

#[tokio::test]
async fn a_stale_edit_of_a_stage_shows_both_and_loses_nothing() {
    let world = World::new().await;
    world.edited(|flow| flow.stages[1].description = Some("Theirs".to_owned())).await;
    let mine = with(packing("1"), "description", "Mine");
    let seen = world.post(PACKING, &lent(&mine)).await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    assert!(seen.says("Theirs") && seen.says("Mine</textarea>"));
    assert_eq!(seen.value("version"), "2");
    assert_eq!(world.flow().await.stages[1].description.as_deref(), Some("Theirs"));
    let again = with(packing("2"), "description", "Mine");
    assert_eq!(world.post(PACKING, &lent(&again)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.flow().await.stages[1].description.as_deref(), Some("Mine"));
}

type Surprise = fn(&mut stagepost_domain::shop::Settings);

#[tokio::test]
async fn warnings_stand_on_the_stage_on_the_flow_and_in_the_list() {
    let world = World::new().await;
    world.connected().await;
    assert!(!world.get(FLOW).await.says("to look at"));
    let modes: [(Surprise, &str); 4] = [
        (|s| s.mail.mode = MailMode::Paused, "mails are paused"),
        (|s| s.mail.mode = MailMode::DryRun, "set to a dry run"),
        (|s| s.mail.mode = MailMode::Test { to: "kim@shop.test".to_owned() }, "they go to kim@shop.test"),
        (|s| s.from_email = String::new(), "no address to send from"),
    ];
    for (change, words) in modes {
        let world = World::new().await;
        world.connected().await;
        let mut settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
        change(&mut settings);
        settings.config_version += 1;
        world.store.save(&ConfigChange::Shop, &settings).await.unwrap();
        assert!(world.get(PACKING).await.says(words), "{words}");
        assert!(world.get(FLOW).await.says(words), "{words}");
        assert!(world.get(LIST).await.says("3 warnings"));
        assert!(!world.get(NEW).await.says(words), "it mails nobody");
    }
}

#[tokio::test]
async fn every_kind_of_warning_has_its_words() {
    type Edit = fn(&mut Flow);
    let ready = "/settings/flows/flow_main/stages/stg_ready";
    let table: [(Edit, &str, &str); 4] = [
        (
            |f| f.fulfilled_stage = Some(f.stages[2].id.clone()),
            ready,
            "also the flow\u{2019}s Fulfilled Stage",
        ),
        (
            |f| f.stages[2].automations.fulfill.as_mut().unwrap().notify_customer = true,
            ready,
            "two mails about the same thing",
        ),
        (
            |f| f.default_stage = f.stages[4].id.clone(),
            FLOW,
            "stands before the stage that new orders begin in",
        ),
        (|_| {}, ready, "nowhere to mark orders as fulfilled"),
    ];
    for (edit, path, words) in table {
        let world = World::with(Role::Owner, edit).await;
        assert!(world.get(path).await.says(words), "{words}");
    }
    // The demo shop has neither store nor carrier.
    let world = World::new().await;
    assert!(world.get(FLOW).await.says("no store puts its new orders into this flow"));
    let delivered = "/settings/flows/flow_main/stages/stg_delivered";
    assert!(world.get(delivered).await.says("No carrier integration is connected"));
    world.save(&build::shop(), ConfigChange::Carrier(build::carrier(&build::shop()))).await;
    assert!(world.get(delivered).await.says("has no API key"));
    let mut template = build::template(&build::shop(), 2);
    (template.subject, template.text) = ("News".to_owned(), Some("Hello".to_owned()));
    world.save(&build::shop(), ConfigChange::Template(template)).await;
    assert!(world.get(PACKING).await.says("the same to every customer"));
    world.save(&build::shop(), ConfigChange::NoTemplate(build::template_id())).await;
    assert!(world.get(PACKING).await.says("The template is gone"));
    let mut endpoint = build::endpoint(&build::shop());
    let reason = stagepost_domain::shop::DisabledReason::ByHand;
    endpoint.disabled = Some(stagepost_domain::shop::Disabled { since: build::at(build::START), reason });
    world.save(&build::shop(), ConfigChange::Endpoint(endpoint)).await;
    assert!(world.get(PACKING).await.says("The endpoint is switched off"));
    world.save(&build::shop(), ConfigChange::NoEndpoint(build::endpoint_id())).await;
    assert!(world.get(PACKING).await.says("The endpoint is gone"));
}

#[tokio::test]
async fn the_way_to_mend_a_setting_and_to_make_what_it_needs_leads_to_a_page() {
    let world = World::new().await;
    let mut template = build::template(&build::shop(), 2);
    (template.subject, template.text) = ("News".to_owned(), Some("Hello".to_owned()));
    world.save(&build::shop(), ConfigChange::Template(template)).await;
    let mut settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
    (settings.mail.mode, settings.config_version) = (MailMode::Paused, settings.config_version + 1);
    world.store.save(&ConfigChange::Shop, &settings).await.unwrap();
    let page = world.get(PACKING).await.body + &world.get(FLOW).await.body;
    let links = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let links: std::collections::BTreeSet<&str> = links.filter(|path| path.starts_with("/s")).collect();
    assert!(links.contains("/settings/notifications/templates/tmpl_news"), "{links:?}");
    assert!(links.contains("/settings/notifications/sending"), "{links:?}");
    for path in links {
        assert_eq!(world.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn law_15_a_stage_that_is_deleted_names_where_its_orders_go() {
    let world = World::new().await;
    world.order(1001).await;
    let page = world.get(&format!("{NEW}/delete")).await;
    for text in
        ["<strong>1 order</strong> is in it", "New orders begin in the chosen stage", "Its orders go to"]
    {
        assert!(page.says(text), "{text}");
    }
    assert!(page.says("<option value=\"stg_packing\" selected>") && !page.says("<option value=\"stg_new\""));
    let path = format!("{NEW}/delete");
    let seen = world.post(&path, &[("version", "1"), ("successor", "")]).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    let seen = world.post(&path, &[("version", "1"), ("successor", "stg_ready")]).await;
    assert_eq!((seen.status, seen.to()), (StatusCode::SEE_OTHER, FLOW));
    let saved = world.flow().await;
    assert_eq!((saved.stages.len(), &saved.default_stage), (4, &build::stage_id("ready")));
    assert_eq!(saved.retired[&build::stage_id("new")].successor, build::stage_id("ready"));
    let jobs = world.store.jobs(&build::shop(), None, 10).await.unwrap().items;
    assert!(matches!(&jobs[0].kind, JobKind::Restage { stage } if *stage == build::stage_id("new")));
    assert!(world.get(FLOW).await.says("New is deleted. Its orders go to Ready to ship"));
    assert_eq!(world.get(NEW).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_stale_deletion_deletes_nothing() {
    let world = World::new().await;
    world.edited(|flow| flow.name = "Theirs".to_owned()).await;
    let path = format!("{PACKING}/delete");
    let seen = world.post(&path, &[("version", "1"), ("successor", "stg_shipped")]).await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    assert!(seen.says("nothing is deleted yet") && seen.says("<option value=\"stg_shipped\" selected>"));
    assert_eq!(world.flow().await.stages.len(), 5);
}

#[tokio::test]
async fn the_last_stage_stays() {
    let world = World::with(Role::Owner, |flow| {
        flow.stages.truncate(1);
        flow.fulfilled_stage = None;
    })
    .await;
    let seen = world.get(&format!("{NEW}/delete")).await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    assert!(!world.get(FLOW).await.says("/delete\""));
}

#[tokio::test]
async fn a_flow_in_use_names_its_users_and_an_unused_one_is_archived() {
    let world = World::new().await;
    world.order(1001).await;
    world.connected().await;
    let path = format!("{FLOW}/archive");
    assert!(world.get(&path).await.says("Archive the flow"));
    let seen = world.post(&path, &[("version", "1")]).await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    assert!(seen.says("channel &#34;Demo store&#34;, as its default flow"));
    assert!(seen.says("orders in stage &#34;New&#34;"));
    assert!(world.flow().await.archived_at.is_none());

    let world = World::new().await;
    assert_eq!(world.post(&path, &[("version", "7")]).await.status, StatusCode::CONFLICT);
    assert_eq!(world.post(&path, &[("version", "1")]).await.to(), LIST);
    assert!(world.flow().await.archived_at.is_some());
    assert_eq!(world.get(FLOW).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn law_20_another_shops_flow_is_not_there() {
    let world = World::new().await;
    let other = build::other_shop();
    world
        .configured(&other, |flow| flow.id = stagepost_domain::id::FlowId::parse("flow_theirs").unwrap())
        .await;
    world.sign_in(&other, Role::Owner).await;
    let pages = [FLOW.to_owned(), PACKING.to_owned(), format!("{PACKING}/delete"), format!("{FLOW}/archive")];
    for path in pages {
        assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        let form = [("version", "1"), ("successor", "stg_new")];
        assert_eq!(world.post(&path, &form).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.flow().await.version, 1);
    let _: ShopId = other;
}

#[tokio::test]
async fn who_may_not_configure_reads_and_changes_nothing() {
    let world = World::with(Role::Member, |_| {}).await;
    for path in [LIST, FLOW, PACKING] {
        let seen = world.get(path).await;
        assert_eq!(seen.status, StatusCode::OK);
        assert!(!seen.says("Save flow") && !seen.says("Save stage") && !seen.says("New flow"), "{path}");
    }
    assert!(world.get(FLOW).await.says("<fieldset disabled>"));
    for path in ["/settings/flows/new".to_owned(), format!("{FLOW}/archive"), format!("{PACKING}/delete")] {
        assert_eq!(world.get(&path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in [
        LIST.to_owned(),
        FLOW.to_owned(),
        PACKING.to_owned(),
        format!("{PACKING}/delete"),
        format!("{FLOW}/archive"),
    ] {
        assert_eq!(
            world.post(&path, &[("version", "1"), ("name", "x")]).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    assert_eq!(world.flow().await.version, 1);
}

#[tokio::test]
async fn a_flow_called_script_is_text() {
    let bad = "<script>alert(1)</script>";
    let world = World::with(Role::Owner, |flow| {
        flow.name = bad.to_owned();
        flow.stages[1].name = bad.to_owned();
        flow.stages[1].description = Some(bad.to_owned());
        flow.stages[1].color = Some("\"><script>".to_owned());
    })
    .await;
    for path in [
        LIST.to_owned(),
        FLOW.to_owned(),
        PACKING.to_owned(),
        format!("{PACKING}/delete"),
        format!("{FLOW}/archive"),
    ] {
        let seen = world.get(&path).await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
        assert!(!seen.says("<script>") && seen.says("&#60;script&#62;"), "{path}");
    }
}

#[tokio::test]
async fn a_starter_that_is_taken_twice_is_told_from_the_first_by_its_name() {
    let world = World::new().await;
    for name in ["Pickup is there", "Pickup 2 is there", "Pickup 3 is there"] {
        let made = world.post("/settings/flows", &[("starter", "pickup")]).await;
        assert!(world.get(made.to()).await.says(name), "{name}");
    }
}
