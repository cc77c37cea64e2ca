//! What each function may do.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stagepost_app::ports::SecretKind;

use super::document::{functions, items, leaves, named, of_type, texts};

/// What partition keys of the table begin with.
const PREFIXES: [&str; 15] = [
    "ORDER",
    "TRACK",
    "SHOP",
    "CHANNEL",
    "CARRIER",
    "KEY",
    "FIND",
    "MAILS",
    "SUPPRESSED",
    "LINE",
    "PERSON",
    "ASKED",
    "SIGNIN",
    "SEEN",
    "CALL",
];
/// Found without a shop: whoever writes one decides whose notifications and whose keys are whose, and who works with
/// a shop.
const LOOKUPS: [&str; 4] = ["CHANNEL", "CARRIER", "KEY", "PERSON"];
const WRITES: [&str; 3] = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"];

/// What the code of a function opens, beside the API's and the console's, which people use for everything.
const OPENED: [(&str, &[&str]); 9] = [
    ("ShopifyWebhookRole", &["channel-webhook"]),
    ("WoocommerceWebhookRole", &["channel-webhook"]),
    ("CarrierWebhookRole", &["carrier-webhook"]),
    ("InboundRunnerRole", &["channel-webhook", "carrier-webhook", "inbound-message", "quarantined-body"]),
    ("EmailRunnerRole", &["member-address"]),
    ("WebhookRunnerRole", &["endpoint-secret", "endpoint-header"]),
    ("FulfillmentRunnerRole", &["channel-credentials"]),
    ("TrackerRunnerRole", &["carrier-credentials"]),
    // Looks at platforms, tries out a carrier's key, asks a carrier again, sends test messages.
    ("JobRunnerRole", &["channel-credentials", "carrier-credentials", "endpoint-secret", "endpoint-header"]),
];

/// A role's own statements.
fn statements(role: &Value) -> Vec<&Value> {
    let policies = items(&role["Policies"]).into_iter().map(|p| &p["PolicyDocument"]);
    policies.flat_map(|document| items(&document["Statement"])).collect()
}

/// The statements of all roles, each with its role's name.
fn by_role(template: &Value) -> Vec<(&str, &Value)> {
    let roles = of_type(template, "AWS::IAM::Role").into_iter();
    roles.flat_map(|(name, role)| statements(role).into_iter().map(move |s| (name, s))).collect()
}

fn leading(statement: &Value) -> &Value {
    &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
}

fn kinds(statement: &Value) -> &Value {
    &statement["Condition"]["StringEquals"]["kms:EncryptionContext:kind"]
}

/// A condition that this file understands: it names keys of the table, or kinds of secrets.
fn understood(statement: &Value) -> bool {
    let keys = json!({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": leading(statement)}});
    let of_secrets = json!({"StringEquals": {"kms:EncryptionContext:kind": kinds(statement)}});
    let condition = &statement["Condition"];
    condition.is_null() || *condition == keys || *condition == of_secrets
}

/// X-Ray's two actions know no resources: the only wildcard, where tracing is on.
fn is_tracing(template: &Value, name: &str, statement: &Value) -> bool {
    let traces = json!({
        "Effect": "Allow", "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "Resource": "*",
    });
    name == "WriteTraces"
        && *statement == traces
        && template["Resources"]["WriteTraces"]["Condition"] == "TracesInvocations"
        && template["Conditions"]["TracesInvocations"]
            == json!({"Fn::Equals": [{"Ref": "Tracing"}, "Active"]})
        && template["Parameters"]["Tracing"]["Default"] == "PassThrough"
}

/// Rights stand in roles and managed policies, where the other checks look; roles are for functions, and nothing is
/// for everybody.
fn strangers(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, resource) in template["Resources"].as_object().into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        if kind.starts_with("AWS::IAM::") && !["AWS::IAM::Role", "AWS::IAM::ManagedPolicy"].contains(&kind) {
            wrong.push(format!("{name}: rights in a {kind} are looked at by no test"));
        }
        let trust = &resource["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        let lambda = json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]);
        if kind == "AWS::IAM::Role" && *trust != lambda {
            wrong.push(format!("{name} may be taken by others than functions"));
        }
        if principals(resource).iter().any(|text| text.contains('*')) {
            wrong.push(format!("{name} is for everybody"));
        }
    }
    wrong
}

/// Every text under a `Principal`, however deep.
fn principals(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(principals).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| if name == "Principal" { leaves(value) } else { principals(value) })
            .collect(),
        _ => Vec::new(),
    }
}

pub fn no_wildcards(template: &Value) -> Vec<String> {
    let mut wrong = strangers(template);
    let mut taken = BTreeSet::new();
    for (name, function) in functions(template) {
        let role = named(&function["Role"]);
        if role.is_none_or(|role| !taken.insert(role)) || !function["Policies"].is_null() {
            wrong.push(format!("{name} has no role of its own"));
        }
    }
    for (name, role) in of_type(template, "AWS::IAM::Role") {
        if items(&role["ManagedPolicyArns"]).into_iter().any(|arn| named(arn).is_none()) {
            wrong.push(format!("{name} takes a policy that is not in the template"));
        }
    }
    let shared = of_type(template, "AWS::IAM::ManagedPolicy").into_iter().flat_map(|(name, policy)| {
        items(&policy["PolicyDocument"]["Statement"]).into_iter().map(move |s| (name, s))
    });
    for (name, statement) in by_role(template).into_iter().chain(shared) {
        let known = ["Effect", "Action", "Resource", "Condition"];
        let fields = statement.as_object().map(|s| s.keys().all(|key| known.contains(&key.as_str())));
        if fields != Some(true) || !understood(statement) {
            wrong.push(format!("{name}: this is not understood: {statement}"));
        }
        if is_tracing(template, name, statement) {
            continue;
        }
        let named_there = leaves(&statement["Action"]).into_iter().chain(leaves(&statement["Resource"]));
        let broad = named_there.filter(|text| text.contains(['*', '?']));
        wrong.extend(broad.map(|text| format!("{name}: wildcard in {text}")));
    }
    wrong
}

/// What the role may do with actions of this prefix, as the resources named.
fn reached<'a>(statements: &[&'a Value], prefix: &str) -> BTreeSet<&'a str> {
    let of = |s: &&&Value| texts(&s["Action"]).iter().any(|action| action.starts_with(prefix));
    statements.iter().filter(of).flat_map(|s| items(&s["Resource"])).filter_map(named).collect()
}

/// A function's role reaches what its environment names and what calls it, and of queues and keys nothing else.
pub fn reach(template: &Value) -> Vec<String> {
    let roles = of_type(template, "AWS::IAM::Role");
    let mut wrong = Vec::new();
    for (name, function) in functions(template) {
        let role = named(&function["Role"]).and_then(|role| roles.get(role));
        let statements = role.map(|role| statements(role)).unwrap_or_default();
        let (mut queues, mut sources) = (BTreeSet::new(), BTreeSet::new());
        let (mut table, mut key) = (BTreeSet::new(), BTreeSet::new());
        for (variable, value) in function["Environment"]["Variables"].as_object().into_iter().flatten() {
            match variable.as_str() {
                "TABLE_NAME" => table.extend(named(value)),
                "KMS_KEY_ID" => key.extend(named(value)),
                variable if variable.ends_with("_QUEUE_URL") => queues.extend(named(value)),
                _ => {}
            }
        }
        for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values() {
            if named(&mapping["FunctionName"]) == Some(name) {
                sources.extend(named(&mapping["EventSourceArn"]));
                queues.extend(named(&mapping["DestinationConfig"]["OnFailure"]["Destination"]));
            }
        }
        let mut received = reached(&statements, "sqs:ReceiveMessage");
        received.extend(reached(&statements, "dynamodb:GetRecords"));
        let pairs = [
            ("send to", reached(&statements, "sqs:SendMessage"), queues),
            ("receive from", received, sources),
            ("read", reached(&statements, "dynamodb:GetItem"), table),
            ("ask", reached(&statements, "kms:"), key),
        ];
        let differing = pairs.into_iter().filter(|(_, may, told)| may != told);
        wrong.extend(differing.map(|(what, may, told)| format!("{name} may {what} {may:?}, not {told:?}")));
        let mails = statements.iter().any(|s| texts(&s["Action"]).iter().any(|a| a.starts_with("ses:Send")));
        if mails != ["EmailRunnerFunction", "WebhookRunnerFunction"].contains(&name) {
            wrong.push(format!("{name}: only the email and webhook runners mail"));
        }
    }
    for (name, policy) in of_type(template, "AWS::IAM::ManagedPolicy") {
        let statements = items(&policy["PolicyDocument"]["Statement"]);
        let mails = statements.iter().any(|s| texts(&s["Action"]).iter().any(|a| a.starts_with("ses:")));
        let roles: BTreeSet<&str> = items(&policy["Roles"]).into_iter().filter_map(named).collect();
        if mails && roles != BTreeSet::from(["EmailRunnerRole", "WebhookRunnerRole"]) {
            wrong.push(format!("{name} is for the two roles that mail, not for {roles:?}"));
        }
    }
    wrong
}

/// What stores and carriers call adds to its shop, which is the quarantine, and changes and removes nothing there: what
/// the shop has set, and its jobs, stand beside it.
pub fn webhooks_only_add(template: &Value) -> Vec<String> {
    let roles = of_type(template, "AWS::IAM::Role");
    let mut wrong = Vec::new();
    for (name, function) in functions(template).into_iter().filter(|(n, _)| n.ends_with("WebhookFunction")) {
        let role = named(&function["Role"]).and_then(|role| roles.get(role));
        let statements = role.map(|role| statements(role)).unwrap_or_default();
        let of_shop = statements.into_iter().filter(|s| texts(leading(s)).contains("SHOP#*"));
        let changes = of_shop.flat_map(|s| texts(&s["Action"]));
        let changes = changes.filter(|action| *action != "dynamodb:PutItem" && WRITES.contains(action));
        wrong.extend(changes.map(|action| format!("{name}: {action} of what a shop has set")));
    }
    wrong
}

/// Every right on the table names keys. Nobody but the API and the console writes a look-up; links to sign in by are
/// made where mails leave, and used in the console.
pub fn leading_keys(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let on_table =
        |s: &Value| items(&s["Resource"]).iter().any(|r| **r == json!({"Fn::GetAtt": ["Table", "Arn"]}));
    for (name, statement) in by_role(template).into_iter().filter(|(_, s)| on_table(s)) {
        let keys = texts(leading(statement));
        if keys.is_empty() {
            wrong.push(format!("{name} goes everywhere in the table"));
        }
        let known = |key: &str| key.strip_suffix("#*").is_some_and(|prefix| PREFIXES.contains(&prefix));
        let strange = keys.iter().filter(|key| !known(key));
        wrong.extend(strange.map(|key| format!("{name}: no item has a key like {key}")));
        if keys.contains("SIGNIN#*") && !["ConsoleRole", "EmailRunnerRole"].contains(&name) {
            wrong.push(format!("{name} signs people in"));
        }
        let everywhere = ["ApiRole", "ConsoleRole"].contains(&name);
        let writes = !everywhere && texts(&statement["Action"]).iter().any(|action| WRITES.contains(action));
        let looked_up = keys.iter().filter(|key| LOOKUPS.iter().any(|prefix| key.starts_with(prefix)));
        wrong.extend(looked_up.filter(|_| writes).map(|key| format!("{name} writes {key}")));
    }
    wrong
}

/// Every right on the key names kinds, and together they are the code's.
pub fn kinds_of_secrets(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut all = BTreeSet::new();
    let of_kms = |s: &Value| texts(&s["Action"]).iter().any(|action| action.starts_with("kms:"));
    for (name, statement) in by_role(template).into_iter().filter(|(_, s)| of_kms(s)) {
        let kinds = texts(kinds(statement));
        if kinds.is_empty() {
            wrong.push(format!("{name} opens secrets of every kind"));
        }
        all.extend(kinds);
    }
    let opens = |role: &str| -> BTreeSet<&str> {
        let of_role = by_role(template).into_iter().filter(|(name, s)| *name == role && of_kms(s));
        let decrypts = of_role.filter(|(_, s)| texts(&s["Action"]).contains(&"kms:Decrypt"));
        decrypts.flat_map(|(_, s)| texts(kinds(s))).collect()
    };
    let roles = of_type(template, "AWS::IAM::Role").into_keys();
    for role in roles.filter(|role| !["ApiRole", "ConsoleRole"].contains(role)) {
        let code = OPENED.iter().find(|(name, _)| *name == role).map_or(&[][..], |(_, kinds)| kinds);
        let (may, does) = (opens(role), code.iter().copied().collect::<BTreeSet<_>>());
        if may != does {
            wrong.push(format!("{role} may open {may:?}, its code opens {does:?}"));
        }
    }
    let known: BTreeSet<&str> = SecretKind::ALL.iter().map(|kind| kind.as_str()).collect();
    wrong.extend(known.difference(&all).map(|kind| format!("nobody may use a {kind} secret")));
    wrong.extend(all.difference(&known).map(|kind| format!("there is no {kind} secret")));
    wrong
}

pub fn tracking_reads(template: &Value) -> Vec<String> {
    let statements = statements(of_type(template, "AWS::IAM::Role")["TrackingRole"]);
    let actions = statements.into_iter().flat_map(|s| texts(&s["Action"]));
    let reads = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"];
    let others = actions.filter(|action| !reads.contains(action));
    others.map(|action| format!("the world reaches {action}")).collect()
}
