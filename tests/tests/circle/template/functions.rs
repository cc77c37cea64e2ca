//! What is deployed, with which variables, and for how long it lives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stagepost_app::jobs::JOB_TIMEOUT;
use stagepost_app::run::function_timeout;
use stagepost_domain::event::Action;

use super::document::{folder, folders, functions, leaves, of_type, read, timeout};

pub fn code(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut left = folders();
    for (name, function) in functions(template) {
        if !left.remove(folder(function)) {
            wrong.push(format!("{name}: {} is no function's, or another's already", function["CodeUri"]));
        } else if !read(&format!("functions/{}/Cargo.toml", folder(function)))
            .contains(&format!("name = \"stagepost-{}\"", folder(function)))
        {
            wrong.push(format!("{name}: the package of {} has another name", folder(function)));
        }
    }
    wrong.extend(left.into_iter().map(|folder| format!("functions/{folder} is not in the template")));
    let globals = &template["Globals"]["Function"];
    if globals["Runtime"] != "provided.al2023" || globals["Architectures"][0]["Ref"] != "Architecture" {
        wrong.push("functions are built for another runtime or machine".to_owned());
    }
    wrong
}

/// Names in `shared/lambda/src/env.rs`: constant and variable.
fn known_variables() -> BTreeMap<String, String> {
    let source = read("shared/lambda/src/env.rs");
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const "));
    let pair = |line: &str| {
        let (name, rest) = line.split_once(": &str = \"")?;
        Some((name.to_owned(), rest.strip_suffix("\";")?.to_owned()))
    };
    constants.filter_map(pair).collect()
}

/// What a function's `main.rs` reads. An own key that it can do without is not among them: here the key service
/// has the secrets.
fn variables_read(folder: &str) -> BTreeSet<String> {
    let source = read(&format!("functions/{folder}/src/main.rs"));
    let mut found = BTreeSet::new();
    let calls = [
        ("env::key()", "STAGEPOST_KEY"),
        ("env::kms_key()", "KMS_KEY_ID"),
        ("env::restored_at()", "RESTORED_AT"),
    ];
    for (call, variable) in calls {
        found.extend(source.contains(call).then(|| variable.to_owned()));
    }
    for (constant, variable) in known_variables() {
        let word = |at: &str| !at.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if source.split(&format!("env::{constant}")).skip(1).any(word) {
            found.insert(variable);
        }
    }
    found
}

pub fn variables(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let everywhere = &template["Globals"]["Function"]["Environment"]["Variables"];
    for (variable, value) in [("STAGEPOST_LOG", "LogLevel"), ("STAGEPOST_DEPLOYMENT", "AWS::StackName")] {
        if everywhere[variable]["Ref"] != value {
            wrong.push(format!("no function gets {variable}"));
        }
    }
    if everywhere["RESTORED_AT"]["Ref"] != "RestoredAt" {
        wrong.push("no function gets RESTORED_AT".to_owned());
    }
    let mut used = BTreeSet::new();
    for (name, function) in functions(template).into_iter().filter(|(_, f)| folders().contains(folder(f))) {
        let given = function["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
        let given: BTreeSet<String> = given.into_iter().map(|(variable, _)| variable).collect();
        let read = variables_read(folder(function));
        let own = read.iter().filter(|variable| everywhere[*variable].is_null()).cloned().collect();
        if given != own {
            wrong.push(format!("{name} gets {given:?} and reads {read:?}"));
        }
        used.extend(read);
    }
    let known: BTreeSet<String> = known_variables().into_values().collect();
    wrong.extend(known.difference(&used).map(|v| format!("{v} is in env.rs, and no function reads it")));
    wrong
}

/// Leases, visibilities and the patience of calls all hang on these.
pub fn timeouts(template: &Value) -> Vec<String> {
    let functions = functions(template);
    let expected = [
        ("EmailRunnerFunction", function_timeout(Action::Email)),
        ("EmailEventsFunction", stagepost_email_events::TIMEOUT),
        ("WebhookRunnerFunction", function_timeout(Action::Webhook)),
        ("FulfillmentRunnerFunction", function_timeout(Action::Fulfill)),
        ("TrackerRunnerFunction", function_timeout(Action::RegisterTracker)),
        ("JobRunnerFunction", JOB_TIMEOUT),
        ("InboundRunnerFunction", stagepost_inbound_runner::TIMEOUT),
    ];
    let differs = |name: &str, live: u64| functions.get(name).is_none_or(|f| timeout(f) != live);
    let wrong = expected.into_iter().filter(|(name, live)| differs(name, live.as_secs()));
    let mut wrong: Vec<_> = wrong.map(|(name, live)| format!("{name} should live for {live:?}")).collect();
    // The gateway gives up after 30 seconds.
    for (name, integration) in of_type(template, "AWS::ApiGatewayV2::Integration") {
        let function = super::document::named(&integration["IntegrationUri"]).and_then(|f| functions.get(f));
        if function.is_none_or(|f| !(1..30).contains(&timeout(f))) {
            wrong.push(format!("{name}: nobody waits as long as its function may live"));
        }
    }
    wrong
}

/// The deployment's key comes from where nobody types it, and no parameter takes one.
pub fn secrets(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, function) in functions(template) {
        let key = &function["Environment"]["Variables"]["STAGEPOST_KEY"];
        if !key.is_null() && key["Fn::Sub"] != "{{resolve:secretsmanager:${LinkKey}}}" {
            wrong.push(format!("{name} has its key from {key}"));
        }
    }
    // As `env::key` takes it: 64 letters of which only hex is left.
    let made = &of_type(template, "AWS::SecretsManager::Secret")["LinkKey"]["GenerateSecretString"];
    let left_out = made["ExcludeCharacters"].as_str().unwrap_or_default();
    let hex = made["PasswordLength"] == 64
        && made["ExcludeUppercase"] == true
        && made["ExcludePunctuation"] == true
        && ('a'..='z').all(|c| c.is_ascii_hexdigit() != left_out.contains(c))
        && !('0'..='9').any(|c| left_out.contains(c))
        && made["RequireEachIncludedType"] == false;
    if !hex {
        wrong.push(format!("the key of the links is not 32 bytes in hex: {made}"));
    }
    let typed = template["Parameters"].as_object().unwrap().keys();
    let typed = typed.filter(|name| ["Key", "Secret", "Token", "Password"].iter().any(|w| name.contains(w)));
    wrong.extend(typed.map(|name| format!("somebody would type in {name}")));
    let outputs = leaves(&template["Outputs"]);
    if outputs.iter().any(|text| text.contains("resolve:") || *text == "LinkKey") {
        wrong.push("an output shows the key".to_owned());
    }
    wrong
}
