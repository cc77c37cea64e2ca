//! What a template may say, and what becomes of it.

use proptest::prelude::{Strategy, prop};
use proptest::{prop_assert, proptest};

use super::check::{DEPTH_MAX, REASON_MAX, TAGS_MAX};
use super::*;

fn template(subject: &str, html: Option<&str>, text: Option<&str>) -> EmailTemplate {
    EmailTemplate {
        id: TemplateId::from_body("a").unwrap(),
        shop: ShopId::from_body("a").unwrap(),
        name: "Shipped".into(),
        version: 1,
        subject: subject.into(),
        html: html.map(Into::into),
        text: text.map(Into::into),
        saved_at: Timestamp::UNIX_EPOCH,
    }
}

fn html(source: &str) -> EmailTemplate {
    template("Order", Some(source), None)
}

fn variables(customer_name: &str) -> Variables {
    Variables {
        order_number: "#1001".into(),
        customer_name: customer_name.into(),
        stage_name: "Shipped".into(),
        tracking_url: "https://a.example/t/x?a=1&b=2".into(),
        ..Variables::invented("The Shop", "")
    }
}

fn rendered(source: &str, customer_name: &str) -> String {
    html(source).validated().unwrap().render(&variables(customer_name)).unwrap().html.unwrap()
}

#[test]
fn the_variables_of_the_product_are_filled_in() {
    let all = "{{orderNumber}} {{customerName}} {{stageName}} {{trackingUrl}}";
    let mail = template(all, None, Some(all)).validated().unwrap().render(&variables("Bob")).unwrap();
    let expected = "#1001 Bob Shipped https://a.example/t/x?a=1&b=2";
    assert_eq!((mail.subject.as_str(), mail.text.as_str()), (expected, expected));
}

#[test]
fn if_and_unless_may_be_nested() {
    let cases = [
        ("{{#if customerName}}Dear {{customerName}}{{else}}Hello{{/if}}", "Dear Bob", "Hello"),
        ("{{#unless customerName}}Hello{{/unless}}", "", "Hello"),
        ("{{#if customerName}}a{{^}}b{{/if}}", "a", "b"),
        ("{{#unless stageName}}x{{else if customerName}}y{{else}}z{{/unless}}", "y", "z"),
        (
            "{{#if stageName}}{{#unless customerName}}n{{/unless}}{{#if trackingUrl}}u{{/if}}{{/if}}",
            "u",
            "nu",
        ),
        ("a {{~ customerName ~}} b", "aBobb", "ab"),
        ("{{! it's (a \"comment\") }}{{!-- {{nope}} [x] --}}x", "x", "x"),
        ("a { b } }} c \\{{customerName}}", "a { b } }} c {{customerName}}", "a { b } }} c {{customerName}}"),
        (
            "p { color: rgb(1,2,3); } \"it's\" [x]",
            "p { color: rgb(1,2,3); } \"it's\" [x]",
            "p { color: rgb(1,2,3); } \"it's\" [x]",
        ),
    ];
    for (source, named, nameless) in cases {
        assert_eq!(
            (rendered(source, "Bob").as_str(), rendered(source, "").as_str()),
            (named, nameless),
            "{source}"
        );
    }
}

/// What no mail has, and the beginning of what is said of it.
const REFUSED: &[(&str, &str)] = &[
    ("a\n\n{{nope}}", "line 3: unknown variable {{nope}}"),
    ("{{#if orderNumber}}\n{{#if nope}}{{/if}}{{/if}}", "line 2: unknown variable {{nope}}"),
    ("\n{{{customerName}}}", "line 2: write {{…}}"),
    ("{{&customerName}}", "line 1: write {{…}}"),
    ("\n{{>partial}}", "line 2: only variables"),
    ("{{#>layout}}x{{/layout}}", "line 1: only variables"),
    ("{{*decorator}}", "line 1: only variables"),
    ("{{#*inline \"x\"}}a{{/inline}}", "line 1: only variables"),
    ("{{lookup customerName stageName}}", "line 1: unknown helper lookup"),
    ("{{lookup this \"a\"}}", "line 1: only variables"),
    ("{{log customerName}}", "line 1: unknown helper log"),
    ("{{if customerName}}", "line 1: unknown helper if"),
    ("{{#each customerName}}x{{/each}}", "line 1: {{#each}} takes a list: items or packages"),
    ("{{#each nope}}x{{/each}}", "line 1: unknown variable {{nope}}"),
    ("\n{{#each items}}{{nope}}{{/each}}", "line 2: unknown variable {{nope}}; there are {{title}}"),
    ("{{#each items}}{{number}}{{/each}}", "line 1: unknown variable {{number}}"),
    ("{{#each items}}{{orderNumber}}{{/each}}", "line 1: unknown variable {{orderNumber}}"),
    ("{{#each items}}{{this}}{{/each}}", "line 1: unknown variable {{this}}"),
    ("{{#each items}}{{@root.orderNumber}}{{/each}}", "line 1: unknown variable"),
    ("{{#each items}}{{../../orderNumber}}{{/each}}", "line 1: unknown variable"),
    ("{{#each items}}{{@../index}}{{/each}}", "line 1: unknown variable"),
    ("{{#each items}}{{/each}}{{title}}", "line 1: unknown variable {{title}}"),
    ("{{#each items}}x{{else}}{{title}}{{/each}}", "line 1: unknown variable {{title}}"),
    (
        "{{#each items}}\n{{#each ../packages}}x{{/each}}{{/each}}",
        "line 2: a loop cannot stand in another loop",
    ),
    ("{{#each items as |item|}}x{{/each}}", "line 1: {{#each}} takes one variable"),
    ("{{items}}", "line 1: {{items}} is a list"),
    ("{{customer}}", "line 1: unknown variable {{customer}}"),
    ("{{items.0.title}}", "line 1: unknown variable"),
    ("{{#with customerName}}x{{/with}}", "line 1: unknown block {{#with}}"),
    ("{{#if stageName}}{{else each stageName}}{{/if}}", "line 1: {{#each}} takes a list"),
    ("{{#customerName}}x{{/customerName}}", "line 1: unknown block"),
    ("{{{{raw}}}}x{{{{/raw}}}}", "line 1: four braces"),
    ("{{@root.customerName}}", "line 1: unknown variable"),
    ("{{../customerName}}", "line 1: unknown variable"),
    ("{{this}}", "line 1: unknown variable"),
    ("{{this.customerName}}", "line 1: unknown variable"),
    ("{{./customerName}}", "line 1: unknown variable"),
    ("{{customerName.length}}", "line 1: unknown variable"),
    ("{{@index}}", "line 1: unknown variable"),
    ("{{[customerName]}}", "line 1: only variables"),
    ("{{#if (customerName)}}x{{/if}}", "line 1: only variables"),
    ("{{#if true}}x{{/if}}", "line 1: only a variable"),
    ("{{#if}}x{{/if}}", "line 1: {{#if}} takes one variable"),
    ("{{#if customerName stageName}}x{{/if}}", "line 1: {{#if}} takes one variable"),
    ("{{#if customerName includeZero=nope}}x{{/if}}", "line 1: {{#if}} takes one variable"),
    ("{{#if customerName as |x|}}x{{/if}}", "line 1: {{#if}} takes one variable"),
    ("\n{{customerName", "line 2: invalid"),
    ("{{#if customerName}}", "line 1: invalid"),
    ("{{#if customerName}}x{{/unless}}", "line 1: "),
    ("{{}}", "line 1: invalid"),
    ("{{else}}", "line 1: invalid"),
];

#[test]
fn a_name_that_is_nearly_one_says_which() {
    for (source, meant) in [
        ("{{order_number}}", Some("orderNumber")),
        ("{{order.number}}", Some("orderNumber")),
        ("{{customerNmae}}", Some("customerName")),
        ("{{trackingURL}}", Some("trackingUrl")),
        ("{{this.customerName}}", Some("customerName")),
        ("{{#each items}}{{orderNumber}}{{/each}}", Some("../orderNumber")),
        ("{{#each items}}{{Title}}{{/each}}", Some("title")),
        ("{{nope}}", None),
        ("{{discountCode}}", None),
    ] {
        let wrong = html(source).validated().unwrap_err();
        let told = wrong[0].reason.split_once("; write {{").map(|(_, told)| told);
        assert_eq!(told, meant.map(|name| format!("{name}}}}} instead")).as_deref(), "{source}");
    }
}

#[test]
fn what_a_mail_does_not_have_is_refused_with_its_line() {
    for (source, reason) in REFUSED {
        for (field, template) in [
            ("html", html(source)),
            ("text", template("Order", None, Some(source))),
            ("subject", template(source, None, Some("x"))),
        ] {
            if field == "subject" && source.contains('\n') {
                continue;
            }
            let wrong = template.validated().expect_err(source);
            assert_eq!((wrong.len(), wrong[0].field.as_str()), (1, field), "{source}: {wrong:?}");
            assert!(wrong[0].reason.starts_with(reason), "{source}: {}", wrong[0].reason);
        }
    }
}

#[test]
fn every_wrong_tag_is_named() {
    let wrong = html("{{a}}\n{{#if b}}{{c}}{{/if}}").validated().unwrap_err();
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

#[test]
fn limits_hold_and_are_inclusive() {
    let deep = |n: usize| "{{#if stageName}}".repeat(n) + &"{{/if}}".repeat(n);
    let cases = [
        ("subject at its limit", template(&"s".repeat(SUBJECT_MAX), None, Some("x")), None),
        ("subject", template(&"s".repeat(SUBJECT_MAX + 1), None, Some("x")), Some("subject")),
        ("blank subject", template(" ", None, Some("x")), Some("subject")),
        ("two lines", template("a\nBcc: x@example.com", None, Some("x")), Some("subject")),
        ("nothing to send", template("s", None, None), Some("html")),
        ("blank name", EmailTemplate { name: " ".into(), ..html("x") }, Some("name")),
        ("html at its limit", html(&"x".repeat(BODY_MAX)), None),
        ("html", html(&"x".repeat(BODY_MAX + 1)), Some("html")),
        ("text", template("s", None, Some(&"x".repeat(BODY_MAX + 1))), Some("text")),
        ("nested at its limit", html(&deep(DEPTH_MAX)), None),
        ("nested", html(&deep(DEPTH_MAX + 1)), Some("html")),
        ("tags at their limit", html(&"{{stageName}}".repeat(TAGS_MAX)), None),
        ("tags", html(&"{{stageName}}".repeat(TAGS_MAX + 1)), Some("html")),
    ];
    for (what, template, field) in cases {
        let wrong = template.validated().err().unwrap_or_default();
        assert_eq!(wrong.first().map(|w| w.field.as_str()), field, "{what}: {wrong:?}");
    }
}

#[test]
fn hostile_nesting_is_refused_before_the_stack_overflows() {
    let deep = |open: &str, close: &str| open.repeat(20_000) + "stageName" + &close.repeat(20_000);
    let tags = |n: usize, tag: &str| tag.repeat(n);
    let hostile = [
        format!("{{{{#if {}}}}}x{{{{/if}}}}", deep("(", ")")),
        format!("{{{{#if {}}}}}x{{{{/if}}}}", tags(5_000, "(if ") + "stageName" + &")".repeat(5_000)),
        format!("{{{{#if {}", tags(5_000, "(if ")),
        format!("{{{{#if {}}}}}x{{{{/if}}}}", deep("[", "]")),
        format!("\\{{{{!-- {{{{#if {}}}}}x{{{{/if}}}} --}}}}", tags(5_000, "(if ")),
        format!("{{{{#if \"}}}}\" {}}}}}x{{{{/if}}}}", tags(5_000, "(if \"}}\" ")),
        tags(5_000, "{{#if stageName}}"),
        tags(490, "{{#if stageName}}") + &tags(490, "{{/if}}"),
        format!("{{{{#if stageName}}}}{}{{{{/if}}}}", tags(998, "{{else if stageName}}")),
        tags(40_000, "{{"),
    ];
    for source in hostile {
        let wrong = html(&source).validated().expect_err("hostile");
        assert!(wrong.iter().all(|w| w.reason.len() <= REASON_MAX + 20), "the input is not thrown back");
    }
}

#[test]
fn html_is_escaped_and_plain_text_is_not() {
    let name = "<script>\"O'Hara\" & {{stageName}}</script>";
    let source = "{{customerName}}";
    let mail =
        template(source, Some(source), Some(source)).validated().unwrap().render(&variables(name)).unwrap();
    let escaped = "&lt;script&gt;&quot;O&#x27;Hara&quot; &amp; {{stageName}}&lt;/script&gt;";
    assert_eq!(mail.html.as_deref(), Some(escaped), "and what a customer wrote is no template");
    assert_eq!((mail.subject.as_str(), mail.text.as_str()), (name, name));
    let link = rendered("<a href=\"{{trackingUrl}}\">", "");
    assert_eq!(link, "<a href=\"https://a.example/t/x?a&#x3D;1&amp;b&#x3D;2\">");
}

#[test]
fn a_subject_stays_one_line() {
    let mail = template("Dear {{customerName}}", None, Some("x"))
        .render(&variables("Bob\r\nBcc: x@example.com\u{85}\0"));
    assert_eq!(mail.unwrap().subject, "Dear Bob  Bcc: x@example.com");
}

/// Sources that come close to what parses.
fn any_source() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{{",
        "}}}",
        "{{{{",
        "}}}}",
        "{",
        "}",
        "#",
        "/",
        "^",
        "else",
        "if",
        "unless",
        "each",
        "&",
        "~",
        ">",
        "*",
        "@",
        ".",
        "..",
        "this",
        " ",
        "\n",
        "\\",
        "!",
        "--",
        "|",
        "as",
        "=",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "'",
        "customerName",
        "stageName",
        "nope",
        "{{customerName}}",
        "{{#if customerName}}",
        "{{else}}",
        "{{/if}}",
        "{{#unless stageName}}",
        "{{/unless}}",
        "{{!-- x --}}",
        "{{else if stageName}}",
        "{{#each items}}",
        "{{#each packages}}",
        "{{/each}}",
        "{{title}}",
        "{{../orderNumber}}",
        "{{#if @first}}",
        "{{@index}}",
        "{{customer.firstName}}",
        "{{number}}",
        "é",
        "\u{0}",
        "<b>",
    ]);
    let any = "\\PC{0,40}".prop_map(|s| vec![s]);
    let pieces = prop::collection::vec(piece, 0..16).prop_map(|p| p.into_iter().map(str::to_owned).collect());
    proptest::prop_oneof![1 => any, 4 => pieces].prop_map(|p: Vec<String>| p.concat())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(2_000))]
    #[test]
    fn no_source_panics_and_what_is_accepted_renders(source in any_source(), name in "\\PC{0,20}") {
        let all = template(&source, Some(&source), Some(&source));
        let _ = all.render(&variables(&name));
        for one in [html(&source), template("s", None, Some(&source)), template(&source, None, Some("x"))] {
            if let Ok(good) = one.validated() {
                for v in [variables(""), variables(&name), Variables::default(), Variables::fullest()] {
                    prop_assert!(good.render(&v).is_ok(), "{} does not render", source);
                }
            }
        }
    }
}

fn text(source: &str, variables: &Variables) -> String {
    template("s", None, Some(source)).validated().unwrap().render(variables).unwrap().text
}

#[test]
fn lists_are_looped_over_and_loops_see_the_order() {
    let order = Variables::invented("The Shop", "https://t.example/");
    for (source, expected) in [
        ("{{#each items}}{{quantity}}x{{title}} {{/each}}", "2xPaper boat, blue 1xArt print “Harbour”, A3 "),
        ("{{#each items}}{{@index}}{{#if @first}}f{{/if}}{{#if @last}}l{{/if}}{{/each}}", "0f1l"),
        (
            "{{#each packages}}{{carrier}} {{number}} of {{../orderNumber}}{{/each}}",
            "UPS 1Z999AA10123456784 of #1001",
        ),
        (
            "{{#each items}}{{#if ../customer.firstName}}{{../customer.firstName}},{{/if}}{{/each}}",
            "Ada,Ada,",
        ),
        ("{{#each items}}{{#if ../packages}}p{{/if}}{{this.sku}}{{/each}}", "pBOAT-BLUEpPRINT-A3"),
        (
            "{{shopName}} {{orderDate}} {{orderTotal}} {{customer.name}}",
            "The Shop 2026-11-20 34.90 EUR Ada Lovelace",
        ),
    ] {
        assert_eq!(text(source, &order), expected, "{source}");
    }
    let nothing = Variables::default();
    assert_eq!(text("{{#each items}}x{{else}}none{{/each}}", &nothing), "none");
    assert_eq!(
        text("{{#each items}}x{{/each}}{{#unless packages}}no parcel{{/unless}}", &nothing),
        "no parcel"
    );
}

#[test]
fn what_is_saved_renders_for_every_order_within_a_limit() {
    let row = |bytes: usize| format!("{{{{#each items}}}}{}{{{{/each}}}}", "x".repeat(bytes));
    assert!(html(&row(FULLEST_MAX / 100)).validated().is_ok());
    let wrong = html(&row(FULLEST_MAX / 100 + 1)).validated().unwrap_err();
    assert_eq!((wrong.len(), wrong[0].field.as_str()), (1, "html"));
    assert!(wrong[0].reason.contains("500000 bytes"), "{wrong:?}");
    // The worst letters make six bytes each, and still it renders.
    let mut worst = Variables::fullest();
    for item in &mut worst.items {
        item.title = "'".repeat(crate::order::FIELD_MAX);
    }
    let titles = "{{#each items}}{{title}}{{title}}{{title}}{{title}}{{title}}{{/each}}".repeat(4);
    let mail = html(&titles).validated().unwrap().render(&worst).unwrap();
    assert_eq!(mail.html.unwrap().len(), 6 * 250 * 100 * 20);
}

#[test]
fn a_missing_plain_part_is_made_from_the_html() {
    let mail =
        html("<p>Hello {{customerName}}</p><a href=\"{{trackingUrl}}\">Track</a>").validated().unwrap();
    let mail = mail.render(&variables("<Bob>")).unwrap();
    assert_eq!(mail.text, "Hello <Bob>\n\nTrack (https://a.example/t/x?a=1&b=2)");
}

#[test]
fn what_a_template_shows_is_told_apart_from_what_it_asks() {
    let source = "{{#if customerName}}Dear {{customerName}}{{else}}Hello{{/if}} {{orderNumber}} \
                  {{#each items}}{{title}}{{#if sku}}{{sku}}{{/if}}{{/each}}{{#if packages}}{{#each packages}}{{url}}{{/each}}{{/if}}\
                  {{#unless carrier}}no{{else}}{{carrier}}{{/unless}}";
    let used: Vec<_> = uses(source).into_iter().map(|(name, bare)| format!("{name} {bare}")).collect();
    assert_eq!(
        used,
        [
            "carrier false",
            "customerName false",
            "items true",
            "items.sku false",
            "items.title true",
            "orderNumber true",
            "packages false",
            "packages.url true",
        ]
    );
}

#[test]
fn every_name_that_may_be_used_stands_for_something() {
    let order = Variables::invented("The Shop", "https://t.example/");
    for name in check::TEXTS {
        assert!(!order.lacks(name), "{name}");
        assert!(Variables::default().lacks(name), "{name}");
        assert_eq!(text(&format!("{{{{{name}}}}}"), &Variables::default()), "", "{name}");
    }
    for (list, fields) in check::LISTS {
        assert!(!order.lacks(list) && Variables::default().lacks(list), "{list}");
        for field in fields {
            assert!(!order.lacks(&format!("{list}.{field}")), "{list}.{field}");
            let source = format!("{{{{#each {list}}}}}{{{{{field}}}}}{{{{/each}}}}");
            assert_ne!(text(&source, &order), "", "{source}");
        }
    }
}

#[test]
fn the_starters_are_templates_and_need_nothing_that_an_order_may_lack() {
    let order = Variables::invented("Paper Boat & Sons", "https://track.example/t/x?a=1");
    let bare = Variables {
        order_number: "#7".into(),
        tracking_url: "https://track.example/t/y".into(),
        shop_name: "Paper Boat".into(),
        order_date: "2026-11-20".into(),
        ..Variables::default()
    };
    for starter in starters::all() {
        let saved = template(&starter.subject, Some(&starter.html), Some(&starter.text)).validated().unwrap();
        let mail = saved.render(&order).unwrap();
        insta::assert_snapshot!(format!("{}.subject", starter.key), mail.subject);
        insta::assert_snapshot!(format!("{}.html", starter.key), mail.html.unwrap());
        insta::assert_snapshot!(format!("{}.text", starter.key), mail.text);
        let mail = saved.render(&bare).unwrap();
        insta::assert_snapshot!(format!("{}.bare.text", starter.key), mail.text);
        let shown = saved.parts().shows();
        let lacks: Vec<_> = shown.iter().filter(|name| bare.lacks(name)).collect();
        assert!(lacks.is_empty(), "{}: {lacks:?}", starter.key);
    }
}

#[test]
fn the_starters_keep_to_what_mail_clients_can_do() {
    for starter in starters::all() {
        let html = &starter.html;
        for needed in [
            "name=\"color-scheme\"",
            "prefers-color-scheme: dark",
            "role=\"presentation\"",
            "width=\"600\"",
            "max-width:600px",
            "display:none",
            "[data-ogsc]",
            "<!--[if mso]>",
        ] {
            assert!(html.contains(needed), "{}: {needed}", starter.key);
        }
        for banned in ["<img", "<script", "url(", "@import", "<link", "flex", "grid", "position:", "%%"] {
            assert!(!html.contains(banned), "{}: {banned}", starter.key);
        }
        // Gmail cuts a mail at 102 KB.
        let full =
            template("s", Some(html), None).render(&Variables::invented("S", "https://t.example/")).unwrap();
        assert!(full.html.unwrap().len() < 20_000, "{}", starter.key);
    }
}

#[test]
fn variables_are_what_the_order_and_its_packages_say() {
    let package = |number: &str, carrier: &str| {
        let seen = crate::package::PackageSeen::parse(Some(number), None, Some(carrier)).unwrap();
        crate::package::Package::new(seen, None)
    };
    let gone = crate::package::Package { removed: true, ..package("3", "GLS") };
    let packages = [package("1", "UPS"), package("2", "UPS"), package("4", "DHL"), gone];
    let order = crate::laws::scene::Scene::packed().order().clone();
    let snapshot = crate::order::Snapshot {
        customer: crate::order::Customer { name: Some("Ada  Lovelace".into()), ..Default::default() },
        total: Some("19.00".into()),
        currency: Some("EUR".into()),
        ..Default::default()
    };
    let occasion = variables::Occasion {
        shop_name: "S",
        stage_name: "Shipped",
        stage_description: None,
        tracking_url: "https://t.example/",
    };
    let v = Variables::of(&order, &snapshot, &packages, occasion);
    assert_eq!(
        (v.carrier.as_str(), v.order_total.as_str(), v.customer.first_name.as_str()),
        ("UPS, DHL", "19.00 EUR", "Ada")
    );
    assert_eq!((v.packages.len(), v.packages[0].url.as_str()), (3, "https://t.example/"));
}
