//! Templates, test mails, how mails leave, suppressed addresses.

use http::StatusCode;
use stagepost_app::mail::ports::{AskedMail, AskedMailStore, AskedState, Asker};
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::id::{MailId, TemplateId};
use stagepost_domain::shop::{MailMode, Role};
use stagepost_domain::template::EmailTemplate;
use stagepost_testkit::build;

use super::World;

const NEWS: &str = "/settings/notifications/templates/tmpl_news";
const PREVIEW: &str = "/settings/notifications/preview";
const SENDING: &str = "/settings/notifications/sending";
const SUPPRESSED: &str = "/settings/notifications/suppressed";

/// Fields of a template as the editor sends them.
fn fields<'a>(subject: &'a str, html: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("name", "News"), ("subject", subject), ("html", html), ("text", ""), ("version", "1")]
}

async fn template(world: &World, id: &TemplateId) -> Option<EmailTemplate> {
    world.store.template(&build::shop(), id, None).await.unwrap()
}

/// The sender as it must be for the form to be taken.
async fn with_plain_sender(world: &World) {
    let mut settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
    settings.from_email = "orders@shop.test".to_owned();
    settings.config_version += 1;
    world.store.save(&ConfigChange::Shop, &settings).await.unwrap();
}

fn sending<'a>(seen: &'a str, mode: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("seen", seen),
        ("from_email", "orders@shop.test"),
        ("mode", mode),
        ("mail_mode.to", "me@shop.test"),
        ("grace_seconds", "20"),
        ("test_recipients", "a@shop.test\r\nb@shop.test"),
        ("notify_email", ""),
    ]
}

#[tokio::test]
async fn the_list_says_which_stages_mail_a_template() {
    let world = World::with(Role::Viewer, |flow| {
        flow.stages[2].automations.email.as_mut().unwrap().enabled = false;
    })
    .await;
    let seen = world.get("/settings/notifications").await;
    assert!(seen.says("News") && seen.says("Packing") && seen.says("Live"));
    assert!(seen.says("Main · off"), "one that is switched off says so");
    assert!(!seen.says("New template"), "who only reads makes none");
}

#[tokio::test]
async fn an_empty_list_offers_the_starters() {
    let world = World::outside();
    world.bare(&build::shop()).await;
    world.sign_in(&build::shop(), Role::Admin).await;
    let seen = world.get("/settings/notifications").await;
    assert!(seen.says("No template yet"));
    for starter in ["order_received", "in_production", "shipped", "delivered", "blank"] {
        assert!(seen.says(&format!("new?starter={starter}")), "{starter}");
    }
    let begun = world.get("/settings/notifications/new?starter=shipped").await;
    assert_eq!(begun.value("name"), "Shipped");
    assert!(begun.says("srcdoc=") && begun.says("is on its way"));
    let made = world.post("/settings/notifications/new", &fields("Hello {{orderNumber}}", "<p>a</p>")).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    assert!(made.to().starts_with("/settings/notifications/templates/tmpl_"));
    assert!(world.get(made.to()).await.says("Version 1"));
}

#[tokio::test]
async fn a_mail_is_seen_with_a_real_order_before_it_is_saved() {
    let world = World::new().await;
    let order = world.order(1001).await;
    let page = world.get(NEWS).await;
    assert!(page.says("#1001 · Ada Example"), "an order to choose");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self';"), "a page with a mail lets no other script run: {policy}");
    assert!(page.says("<iframe sandbox") || page.says("mail-plain"));

    let mut sent = fields("For {{customerName}}", "<p>{{orderNumber}}</p>");
    sent.extend([("template", "tmpl_news"), ("order", order.as_str())]);
    let seen = world.post(PREVIEW, &sent).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(seen.says("For Ada Example") && seen.says("&#60;p&#62;#1001&#60;/p&#62;"));
    assert!(page.says("data-guard=\"\"") && seen.says("data-guard=\"changed\""), "it is not lost by leaving");
    let unsaved = template(&world, &build::template_id()).await.unwrap();
    assert_eq!(unsaved.version, 1, "a preview saves nothing");
}

#[tokio::test]
async fn a_preview_may_be_asked_for_again_and_again_under_one_key() {
    let world = World::new().await;
    let page = world.get(NEWS).await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    for subject in ["One", "Two"] {
        let keys = [("csrf", csrf.as_str()), ("once", once.as_str())];
        let seen = world.post_as_it_is(PREVIEW, &[&keys[..], &fields(subject, "a")].concat()).await;
        assert_eq!(seen.status, StatusCode::OK);
        assert!(seen.says(&format!("<strong>{subject}</strong>")));
    }
    let without = world.post_as_it_is(PREVIEW, &fields("Three", "a")).await;
    assert_eq!(without.status, StatusCode::FORBIDDEN, "and only by a page of ours");
}

#[tokio::test]
async fn what_is_wrong_with_a_template_stands_at_its_field_with_the_line_and_what_to_write() {
    let world = World::new().await;
    let wrong = fields("Order", "<p>\n{{order_number}}\n{{#if carrier}}");
    let seen = world.post(PREVIEW, &wrong).await;
    assert!(seen.says("No mail can be made of this yet"));
    let wrong = fields("Order", "<p>\n{{order_number}}</p>");
    let told = "HTML line 2: unknown variable {{order_number}}; write {{orderNumber}} instead.";
    assert!(world.post(PREVIEW, &wrong).await.says(told));
    let refused = world.post(NEWS, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.says(told) && refused.says("&#60;p&#62;\n{{order_number}}&#60;/p&#62;"),
        "nothing is lost"
    );
    assert_eq!(template(&world, &build::template_id()).await.unwrap().version, 1);
}

#[tokio::test]
async fn what_would_be_empty_for_the_newest_orders_is_told() {
    let world = World::new().await;
    world.order(1001).await;
    let seen = world.post(PREVIEW, &fields("Order", "<p>{{carrier}}</p>")).await;
    assert!(seen.says("{{carrier}} is empty in the newest order. Put {{#if carrier}}"), "{}", seen.body);
}

#[tokio::test]
async fn a_template_is_saved_once_and_not_over_somebody_elses() {
    let world = World::new().await;
    let page = world.get(NEWS).await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let keys = [("csrf", csrf.as_str()), ("once", once.as_str())];
    let sent = [&keys[..], &fields("Second", "<p>b</p>")].concat();
    for _ in 0..2 {
        let saved = world.post_as_it_is(NEWS, &sent).await;
        assert_eq!((saved.status, saved.to()), (StatusCode::SEE_OTHER, NEWS));
    }
    let saved = template(&world, &build::template_id()).await.unwrap();
    assert_eq!((saved.version, saved.subject.as_str()), (2, "Second"));

    let late = world.post(NEWS, &fields("Mine", "<p>mine</p>")).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.says("Somebody saved version 2") && late.says("Second"), "theirs");
    assert_eq!(late.value("subject"), "Mine", "and mine, not lost");
    assert_eq!(late.value("version"), "2", "saving it again puts it in their place");
    assert_eq!(template(&world, &build::template_id()).await.unwrap().subject, "Second");
}

#[tokio::test]
async fn a_template_in_use_is_not_deleted_and_its_users_are_named() {
    let world = World::new().await;
    let seen = world.get(&format!("{NEWS}/delete")).await;
    assert_eq!(seen.status, StatusCode::CONFLICT);
    assert!(seen.says("stage \u{201c}Packing\u{201d} of \u{201c}Main\u{201d}"));
    let refused = world.post(&format!("{NEWS}/delete"), &[("version", "1")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);

    let world = World::with(Role::Admin, |flow| {
        flow.stages.iter_mut().for_each(|stage| stage.automations.email = None);
    })
    .await;
    let asked = world.get(&format!("{NEWS}/delete")).await;
    assert!(asked.says("Delete template"));
    world.post(&format!("{NEWS}/delete"), &[("version", &asked.value("version"))]).await;
    assert_eq!(template(&world, &build::template_id()).await, None);
}

#[tokio::test]
async fn a_test_goes_to_ones_own_addresses_and_tells_what_became_of_it() {
    let world = World::new().await;
    with_plain_sender(&world).await;
    let page = world.get(&format!("{NEWS}/test")).await;
    assert!(page.says("<option value=\"orders@shop.test\""));
    let strange = world.post(&format!("{NEWS}/test"), &[("to", "eve@customer.test")]).await;
    assert_eq!(strange.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(strange.says("own addresses"));

    let asked = world.post(&format!("{NEWS}/test"), &[("to", "orders@shop.test")]).await;
    let path = asked.to().to_owned();
    let id = MailId::parse(path.rsplit('/').next().unwrap()).unwrap();
    assert!(world.get(&path).await.says("On its way"));
    let asker = Asker::Shop(build::shop());
    let mail = world.store.asked_mail(&asker, &id, world.core.now()).await.unwrap().unwrap();
    assert_eq!(mail.state, AskedState::Pending, "the console sends nothing");
    let error = "<b>refused".to_owned();
    let failed = AskedMail { version: 2, state: AskedState::Failed { error }, ..mail };
    world.store.put_asked_mail(&failed).await.unwrap();
    let part = world.part(&path).await;
    assert_eq!(part.status.as_u16(), 286, "there is nothing more to wait for");
    assert!(part.says("It was not sent: &#60;b&#62;refused") && !part.says("<html"));
}

#[tokio::test]
async fn the_mode_of_mails_is_changed_and_not_over_somebody_elses_change() {
    let world = World::new().await;
    with_plain_sender(&world).await;
    let page = world.get(SENDING).await;
    assert!(page.says("Not checked"), "nobody checks senders here");
    let seen = page.value("seen");
    let saved = world.post(SENDING, &sending(&seen, "test")).await;
    assert_eq!(saved.to(), SENDING, "{}", saved.body);
    let settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
    assert_eq!(settings.mail.mode, MailMode::Test { to: "me@shop.test".to_owned() });
    assert_eq!((settings.grace_seconds, settings.mail.test_recipients.len()), (20, 2));
    assert!(world.get(SENDING).await.says("All mails go to me@shop.test"));

    let late = world.post(SENDING, &sending(&seen, "live")).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.says("Somebody else changed these settings"));
    let mode = world.store.settings(&build::shop()).await.unwrap().unwrap().mail.mode;
    assert_ne!(mode, MailMode::Live);
}

#[tokio::test]
async fn an_edit_of_something_else_does_not_stop_the_sender_from_being_saved() {
    let world = World::new().await;
    with_plain_sender(&world).await;
    let seen = world.get(SENDING).await.value("seen");
    world.save(&build::shop(), ConfigChange::Flow(build::flow(&build::shop()))).await;
    assert_eq!(world.post(SENDING, &sending(&seen, "paused")).await.to(), SENDING);
}

#[tokio::test]
async fn law_19_an_old_form_does_not_bring_erasing_back_that_somebody_switched_off() {
    let world = World::new().await;
    with_plain_sender(&world).await;
    let seen = world.get(SENDING).await.value("seen");
    let mut settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
    settings.retention.attempts_days = 7;
    settings.config_version += 1;
    world.store.save(&ConfigChange::Shop, &settings).await.unwrap();
    let mut old = sending(&seen, "live");
    old.extend([("attempts_days", "30"), ("quarantine_days", "30"), ("orders_days", "30")]);
    assert_eq!(world.post(SENDING, &old).await.status, StatusCode::CONFLICT);
    let now = world.store.settings(&build::shop()).await.unwrap().unwrap().retention;
    assert_eq!(now, settings.retention);
}

#[tokio::test]
async fn a_template_as_long_as_it_may_be_is_saved_in_any_script() {
    let world = World::new().await;
    let long = "\u{434}".repeat(stagepost_domain::template::BODY_MAX / 2);
    let mut sent = fields("s", &long);
    sent.retain(|(field, _)| *field != "text");
    sent.push(("text", &long));
    assert_eq!(world.post(NEWS, &sent).await.status, StatusCode::SEE_OTHER);
    let id = TemplateId::parse("tmpl_news").unwrap();
    assert_eq!(template(&world, &id).await.unwrap().html, Some(long));
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_stands_at_its_field() {
    let world = World::new().await;
    with_plain_sender(&world).await;
    let seen = world.get(SENDING).await.value("seen");
    for (name, value, told) in [
        ("from_email", "nobody", "From address must be an e-mail address"),
        ("grace_seconds", "301", "Seconds a mail waits must be at most 300"),
        ("grace_seconds", "soon", "Seconds a mail waits must be a number"),
        ("test_recipients", "a@shop.test\nb", "Test recipients line 2: must be an e-mail address"),
        ("mail_mode.to", "", "Test address must be an e-mail address"),
        ("mode", "loud", "A mode must be chosen"),
    ] {
        let mut sent = sending(&seen, "test");
        sent.retain(|(field, _)| *field != name);
        sent.push((name, value));
        let refused = world.post(SENDING, &sent).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(refused.says(told), "{told}");
        assert!(refused.says("a@shop.test"), "nothing is lost");
    }
}

#[tokio::test]
async fn an_address_is_put_aside_and_mailed_again_after_a_word_of_warning() {
    let world = World::new().await;
    assert!(world.get(SUPPRESSED).await.says("Every address is mailed"));
    let refused = world.post(SUPPRESSED, &[("address", "<script>")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!refused.says("<script>"));
    world.post(SUPPRESSED, &[("address", "eve@customer.test")]).await;
    let listed = world.get(SUPPRESSED).await;
    assert!(listed.says("eve@customer.test") && listed.says("By hand"));
    let (_, rest) = listed.body.split_once("/settings/notifications/suppressed/sup_").unwrap();
    let path = format!("{SUPPRESSED}/sup_{}/remove", rest.split('/').next().unwrap());
    assert!(world.get(&path).await.says("Mail eve@customer.test again?"));
    world.post(&path, &[]).await;
    assert!(!world.get(SUPPRESSED).await.says(&path));
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_shop_sees_none_of_it_and_a_low_role_changes_none() {
    let world = World::new().await;
    with_plain_sender(&world).await;
    world.post(SUPPRESSED, &[("address", "eve@customer.test")]).await;
    let test = world.post(&format!("{NEWS}/test"), &[("to", "orders@shop.test")]).await.to().to_owned();
    let listed = world.get(SUPPRESSED).await;
    let (_, rest) = listed.body.split_once("/settings/notifications/suppressed/sup_").unwrap();
    let suppressed = format!("{SUPPRESSED}/sup_{}/remove", rest.split('/').next().unwrap());

    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    for path in [NEWS, &format!("{NEWS}/delete"), &format!("{NEWS}/test"), &test, &suppressed] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in [NEWS, &format!("{NEWS}/delete"), &suppressed] {
        let seen = world.post(path, &fields("a", "b")).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!world.get(SUPPRESSED).await.says("eve@"));

    world.sign_in(&build::shop(), Role::Member).await;
    for path in [NEWS, SENDING, SUPPRESSED, "/settings/notifications/new", &format!("{NEWS}/test")] {
        let seen = world.post(path, &fields("a", "b")).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{path}");
    }
    let read = world.get(NEWS).await;
    assert!(read.status.is_success() && !read.says("Save template") && read.says("Seen with"));
    assert_eq!(world.post(PREVIEW, &fields("a", "b")).await.status, StatusCode::OK);
    world.sign_in(&build::shop(), Role::Viewer).await;
    assert_eq!(world.post(PREVIEW, &fields("a", "b")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get(SUPPRESSED).await.status, StatusCode::FORBIDDEN);
    world.order(1001).await;
    assert!(!world.get(NEWS).await.says("#1001 · Ada"), "who only reads sees no customer's words");
}

#[tokio::test]
async fn names_are_text_wherever_they_stand() {
    let world = World::new().await;
    let mut evil = build::template(&build::shop(), 2);
    evil.name = "<script>alert(1)</script>".to_owned();
    evil.subject = "\"><script>".to_owned();
    evil.html = Some("</textarea><script>alert(1)</script>\"><p>".to_owned());
    world.save(&build::shop(), ConfigChange::Template(evil)).await;
    for path in ["/settings/notifications", NEWS, &format!("{NEWS}/test")] {
        let seen = world.get(path).await;
        assert!(seen.status.is_success() && !seen.says("<script>"), "{path}");
    }
    let part = world.post(PREVIEW, &fields("<script>", "\"><script>alert(1)</script>")).await;
    assert!(!part.says("<script>"), "a mail's markup stays inside of its frame");
}
