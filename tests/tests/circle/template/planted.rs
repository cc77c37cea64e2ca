//! Faults, each planted at a place of the template; null takes away what is there.

use serde_json::{Value, json};

use super::document::{template, with_own_table};
use super::{Check, functions, http, queues, restored, rights, store, watched};

fn own(role: &str, statement: usize, field: &str) -> String {
    format!("{role}/Properties/Policies/0/PolicyDocument/Statement/{statement}/{field}")
}

fn wildcards_planted() -> Vec<(Check, String, Value)> {
    vec![
        (rights::no_wildcards, own("TrackingRole", 0, "Action"), json!(["dynamodb:*"])),
        (rights::no_wildcards, own("EmailRunnerRole", 0, "Resource"), json!("*")),
        (
            rights::no_wildcards,
            "WriteLogs/Properties/PolicyDocument/Statement/0/Resource".into(),
            json!({"Fn::Sub": "arn:x:*"}),
        ),
        (
            rights::no_wildcards,
            "WakeRole/Properties/ManagedPolicyArns/0".into(),
            json!("arn:aws:iam::aws:policy/AdministratorAccess"),
        ),
        (rights::no_wildcards, "ApiFunction/Properties/Role".into(), json!(null)),
        (
            rights::no_wildcards,
            "TrackingFunction/Properties/Role".into(),
            json!({"Fn::GetAtt": ["ApiRole", "Arn"]}),
        ),
        (rights::no_wildcards, own("WakeRole", 0, "NotResource"), json!("x")),
        (rights::no_wildcards, own("WakeRole", 0, "NotAction"), json!(["dynamodb:DeleteTable"])),
        (rights::no_wildcards, own("WakeRole", 0, "Action"), json!("*")),
        (rights::no_wildcards, own("WakeRole", 0, "Action/0"), json!("dynamodb:Get?tem")),
        (rights::no_wildcards, own("WakeRole", 0, "Resource"), json!({"Fn::Sub": "${Table.Arn}*"})),
        (rights::no_wildcards, own("WakeRole", 2, "Resource"), json!({"Fn::Sub": "${Table.Arn}/index/*"})),
        (
            rights::no_wildcards,
            "WriteTraces/Properties/PolicyDocument/Statement/0/Action/0".into(),
            json!("xray:*"),
        ),
        (rights::no_wildcards, "WriteTraces/Condition".into(), json!("HasAlarmTopic")),
        (rights::no_wildcards, "Other".into(), json!({"Type": "AWS::IAM::Policy", "Properties": {}})),
        (
            rights::no_wildcards,
            "WakeRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal".into(),
            json!({"AWS": "*"}),
        ),
        (
            rights::no_wildcards,
            "MailEventsFromSes/Properties/PolicyDocument/Statement/0/Principal".into(),
            json!("*"),
        ),
        (
            rights::no_wildcards,
            own("WakeRole", 0, "Condition/ForAllValues:StringLike"),
            json!({"dynamodb:LeadingKeys": ["ORDER#*"], "dynamodb:Select": "COUNT"}),
        ),
    ]
}

fn reach_planted() -> Vec<(Check, String, Value)> {
    vec![
        (
            rights::reach,
            "WakeFunction/Properties/Environment/Variables/EMAIL_QUEUE_URL".into(),
            json!({"Ref": "Other"}),
        ),
        (
            rights::reach,
            "EmailMapping/Properties/EventSourceArn".into(),
            json!({"Fn::GetAtt": ["WebhookQueue", "Arn"]}),
        ),
        (rights::reach, "ApiFunction/Properties/Environment/Variables/KMS_KEY_ID".into(), json!(null)),
        (rights::leading_keys, own("WakeRole", 0, "Condition"), json!(null)),
        (rights::leading_keys, own("ConsoleRole", 0, "Condition"), json!(null)),
        (
            rights::leading_keys,
            own("ApiRole", 0, "Condition/ForAllValues:StringLike/dynamodb:LeadingKeys/0"),
            json!("SIGNIN#*"),
        ),
        (
            rights::leading_keys,
            own("ShopifyWebhookRole", 1, "Condition/ForAllValues:StringLike/dynamodb:LeadingKeys/0"),
            json!("KEY#*"),
        ),
        (
            rights::leading_keys,
            own("WakeRole", 0, "Condition/ForAllValues:StringLike/dynamodb:LeadingKeys/0"),
            json!("*"),
        ),
        (rights::kinds_of_secrets, own("WebhookRunnerRole", 2, "Condition"), json!(null)),
        (
            rights::kinds_of_secrets,
            own("WebhookRunnerRole", 2, "Condition/StringEquals/kms:EncryptionContext:kind/0"),
            json!("endpoint"),
        ),
        (
            rights::kinds_of_secrets,
            own("JobRunnerRole", 3, "Condition/StringEquals/kms:EncryptionContext:kind/1"),
            json!("channel-credentials"),
        ),
        (rights::kinds_of_secrets, own("EmailEventsRole", 3, "Action"), json!(["kms:Decrypt"])),
        (rights::tracking_reads, own("TrackingRole", 0, "Action/0"), json!("dynamodb:PutItem")),
        (rights::webhooks_only_add, own("CarrierWebhookRole", 2, "Action/0"), json!("dynamodb:DeleteItem")),
        (
            rights::webhooks_only_add,
            own("WoocommerceWebhookRole", 2, "Action"),
            json!(["dynamodb:PutItem", "dynamodb:UpdateItem"]),
        ),
        (
            rights::webhooks_only_add,
            own("ShopifyWebhookRole", 1, "Condition/ForAllValues:StringLike/dynamodb:LeadingKeys/0"),
            json!("SHOP#*"),
        ),
        (rights::reach, "SandboxRecipients/Properties/Roles/0".into(), json!({"Ref": "TrackingRole"})),
    ]
}

fn others_planted() -> Vec<(Check, &'static str, Value)> {
    vec![
        (functions::code, "WakeFunction/Properties/CodeUri", json!("target/lambda/stagepost-sleep/")),
        (functions::code, "WakeFunction", json!({"Type": "AWS::Other"})),
        (functions::variables, "ApiFunction/Properties/Environment/Variables", json!({"TABLE_NAME": "t"})),
        (functions::variables, "WakeFunction/Properties/Environment/Variables/STAGEPOST_KEY", json!("k")),
        (functions::variables, "WakeFunction/Properties/Environment/Variables/RESTORED_AT", json!("")),
        (functions::timeouts, "FulfillmentRunnerFunction/Properties/Timeout", json!(150)),
        (functions::timeouts, "JobRunnerFunction/Properties/Timeout", json!(60)),
        (functions::timeouts, "ApiFunction/Properties/Timeout", json!(31)),
        (functions::secrets, "ApiFunction/Properties/Environment/Variables/STAGEPOST_KEY", json!("plain")),
        (functions::secrets, "LinkKey/Properties/GenerateSecretString/ExcludeCharacters", json!("xyz")),
        (queues::queues, "FulfillmentQueue/Properties/VisibilityTimeout", json!(719)),
        (queues::queues, "EmailQueue/Properties/RedrivePolicy", json!(null)),
        (queues::queues, "EmailDeadLetters", json!({"Type": "AWS::Other"})),
        (queues::queues, "EmailMapping/Properties/ScalingConfig", json!(null)),
        (queues::queues, "InboundQueue/Properties/SqsManagedSseEnabled", json!(false)),
        (queues::queues, "InboundQueue/Properties/MessageRetentionPeriod", json!(180_000)),
        (queues::queues, "InboundQueue/Properties/MaximumMessageSize", json!(262_144)),
        (queues::queues, "JobsDeadLetters/Properties/RedriveAllowPolicy/redrivePermission", json!("denyAll")),
        (queues::mappings, "WebhookMapping/Properties/FunctionResponseTypes", json!([])),
        (queues::mappings, "InboundMapping", json!({"Type": "AWS::Other"})),
        (queues::mappings, "DispatchMapping/Properties/FilterCriteria", json!(null)),
        (queues::mappings, "DispatchMapping/Properties/DestinationConfig", json!(null)),
        (queues::mappings, "DispatchMapping/Properties/MaximumRetryAttempts", json!(5)),
        (queues::mappings, "DispatchMapping/Properties/MaximumRecordAgeInSeconds", json!(86_400)),
        (queues::mappings, "EveryMinute/Properties/ScheduleExpression", json!("rate(1 hour)")),
        (queues::alarms, "DispatchDeadLettersAlarm", json!({"Type": "AWS::Other"})),
        (queues::alarms, "JobRunnerErrorsAlarm", json!({"Type": "AWS::Other"})),
        (queues::alarms, "WakeErrorsAlarm/Properties/AlarmActions", json!(null)),
        (queues::alarms, "TrackerAgeAlarm/Properties/MetricName", json!("NumberOfMessagesSent")),
        (queues::alarms, "EmailAgeAlarm/Properties/Threshold", json!(900)),
        (watched::figures, "HeldAlarm/Properties/MetricName", json!("Holds")),
        (watched::figures, "HeldAlarm/Properties/Dimensions", json!(null)),
        (watched::figures, "MailsLateAlarm/Properties/Dimensions/1/Value", json!("mail")),
        (watched::figures, "QuarantinedAlarm", json!({"Type": "AWS::Other"})),
        (watched::figures, "Dashboard/Properties/DashboardBody/Fn::Sub", json!("{\"widgets\": [")),
        (watched::runbook, "HeldAlarm", json!({"Type": "AWS::Other"})),
        (watched::runbook, "NewAlarm", json!({"Type": "AWS::CloudWatch::Alarm", "Properties": {}})),
        (http::routes, "TrackingRoute/Properties/RouteKey", json!("GET /track/{token}")),
        (http::routes, "CarrierWebhookMayBeCalled/Properties/FunctionName", json!({"Ref": "ApiFunction"})),
        (http::routes, "HttpStage/Properties/RouteSettings/GET /t~{token}", json!(null)),
        (http::routes, "TrackingHeadMayBeCalled", json!({"Type": "AWS::Other"})),
        (http::tracking_methods, "TrackingHeadRoute", json!({"Type": "AWS::Other"})),
        (
            http::access_log,
            "HttpStage/Properties/AccessLogSettings/Format",
            json!("{\"path\": \"$context.path\"}"),
        ),
        (http::access_log, "AccessLogs/Properties/RetentionInDays", json!(null)),
        (
            store::table,
            "Table/Properties/GlobalSecondaryIndexes/0/Projection/NonKeyAttributes",
            json!(["n", "p", "v"]),
        ),
        (store::table, "SecretsKey/DeletionPolicy", json!("Delete")),
    ]
}

#[test]
fn every_check_finds_a_planted_fault() {
    let others = others_planted().into_iter().map(|(check, place, fault)| (check, place.to_owned(), fault));
    for (check, place, fault) in wildcards_planted().into_iter().chain(reach_planted()).chain(others) {
        let mut template = with_own_table(&template());
        assert!(check(&template).is_empty());
        plant(&mut template["Resources"], &place, fault);
        assert!(!check(&template).is_empty(), "nobody minds {place}");
    }
}

#[test]
fn a_place_that_a_restore_or_a_pause_would_miss_is_found() {
    let own = |name: &str| json!({"Fn::GetAtt": ["Table", name]});
    let faults = [
        ("WakeFunction/Properties/Environment/Variables/TABLE_NAME", json!({"Ref": "Table"})),
        ("WakeRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource", own("Arn")),
        (
            "WakeRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource/Fn::If/1",
            json!({"Ref": "RestoredTableName"}),
        ),
        (
            "ApiRole/Properties/Policies/0/PolicyDocument/Statement/1/Resource/0/Fn::If/2/Fn::Sub",
            json!("${Table.Arn}/index/GSI2"),
        ),
        ("DispatchMapping/Properties/EventSourceArn", own("StreamArn")),
        ("Table/Condition", json!(null)),
        ("EmailMapping/Properties/Enabled", json!(true)),
        ("EveryMinute/Properties/State", json!(null)),
    ];
    for (place, fault) in faults {
        let mut template = template();
        plant(&mut template["Resources"], place, fault);
        assert!(!restored::restored(&template).is_empty(), "nobody minds {place}");
    }
}

/// A slash within a step is written `~`.
fn plant(resources: &mut Value, place: &str, fault: Value) {
    let at = place.split('/').fold(resources, |at, step| match step.parse::<usize>() {
        Ok(index) => &mut at[index],
        Err(_) => &mut at[step.replace('~', "/")],
    });
    *at = fault;
}
