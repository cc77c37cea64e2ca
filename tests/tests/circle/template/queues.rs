//! Queues, what reads them, and who is told when they do not get empty.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::document::{functions, leaves, named, of_type, texts, timeout};

/// Lambda's advice for a queue in front of a function.
const VISIBILITY: u64 = 6;

/// Longest that SQS holds a message back, in seconds.
const DELAY_MAX: u64 = 900;

/// How old a record of the stream gets before it is given up, in seconds: longer than outages and pauses, and no day,
/// because it holds up what is behind it (docs/runbook.md).
const STREAM_PATIENCE: u64 = 14_400;

pub fn queues(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let (queues, functions) = (of_type(template, "AWS::SQS::Queue"), functions(template));
    for (name, mapping) in of_type(template, "AWS::Lambda::EventSourceMapping") {
        let source = named(&mapping["EventSourceArn"]).unwrap_or_default();
        let Some(queue) = queues.get(source) else { continue };
        let live = named(&mapping["FunctionName"]).and_then(|f| functions.get(f)).map_or(0, |f| timeout(f));
        if live == 0 || queue["VisibilityTimeout"].as_u64().is_none_or(|hidden| hidden < VISIBILITY * live) {
            wrong.push(format!("{source} hides a message for less than {VISIBILITY} times {live} s"));
        }
        let redrive = &queue["RedrivePolicy"];
        let dead = named(&redrive["deadLetterTargetArn"]).and_then(|dead| queues.get(dead));
        if redrive["maxReceiveCount"].as_u64().is_none_or(|receives| receives < 10) {
            wrong.push(format!("{source} gives up too soon"));
        }
        let days = |queue: &Value| queue["MessageRetentionPeriod"].as_u64().unwrap_or_default();
        if dead.is_none_or(|dead| days(dead) <= days(queue)) {
            wrong.push(format!("{source} has no dead letters that are kept longer than its messages"));
        }
        if dead.is_none_or(|dead| dead["RedriveAllowPolicy"]["redrivePermission"] != "allowAll") {
            wrong.push(format!("{source} does not get its dead letters back"));
        }
        let most = mapping["ScalingConfig"]["MaximumConcurrency"].as_u64();
        if most.is_none_or(|most| most < 2) {
            wrong.push(format!("{name} may take all of the account's concurrency"));
        }
    }
    let inbound = &queues["InboundQueue"];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let receives = number(&inbound["RedrivePolicy"]["maxReceiveCount"]);
    if receives != u64::from(stagepost_inbound_runner::RECEIVES_MAX)
        || receives * number(&inbound["VisibilityTimeout"]) >= number(&inbound["MessageRetentionPeriod"])
        || inbound["MaximumMessageSize"].as_u64() != Some(1_048_576)
    {
        wrong.push("a notification that waits is forgotten, or too large to wait".to_owned());
    }
    let open = queues.iter().filter(|(_, queue)| queue["SqsManagedSseEnabled"] != true);
    wrong.extend(open.map(|(name, _)| format!("{name} is not encrypted")));
    wrong
}

pub fn mappings(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mappings = of_type(template, "AWS::Lambda::EventSourceMapping");
    for (name, mapping) in &mappings {
        if !texts(&mapping["FunctionResponseTypes"]).contains("ReportBatchItemFailures") {
            wrong.push(format!("{name} repeats whole batches"));
        }
    }
    let called: BTreeSet<_> = mappings.values().filter_map(|m| named(&m["FunctionName"])).collect();
    let runners = functions(template).into_keys().filter(|name| name.ends_with("RunnerFunction"));
    let silent = runners.chain(["DispatchFunction"]).filter(|name| !called.contains(name));
    wrong.extend(silent.map(|name| format!("nothing calls {name}")));
    let stream = mappings.values().find(|m| named(&m["FunctionName"]) == Some("DispatchFunction"));
    let filters = stream.map(|m| &m["FilterCriteria"]["Filters"]).and_then(Value::as_array);
    let patterns: Vec<Value> = filters.into_iter().flatten().map(pattern).collect();
    let inserted = |prefix: &str| json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": prefix}]}}}});
    if patterns != [inserted("E#"), inserted("JOB#"), inserted("MAIL#")] {
        wrong.push("dispatch is not called for new events, jobs and test mails alone".to_owned());
    }
    // The age alone bounds how long: tries end at whichever comes first, and five are over in minutes.
    let patient = |m: &&&Value| {
        m["BisectBatchOnFunctionError"] == true
            && m["MaximumRetryAttempts"] == -1
            && m["MaximumRecordAgeInSeconds"] == STREAM_PATIENCE
            && named(&m["DestinationConfig"]["OnFailure"]["Destination"]).is_some()
    };
    if stream.as_ref().is_none_or(|m| !patient(m)) {
        wrong.push("a poisoned record stops the stream, or goes without a word".to_owned());
    }
    let every_minute = of_type(template, "AWS::Events::Rule").values().any(|rule| {
        rule["ScheduleExpression"] == "rate(1 minute)"
            && named(&rule["Targets"][0]["Arn"]) == Some("WakeFunction")
    });
    if !every_minute {
        wrong.push("wake sleeps".to_owned());
    }
    wrong
}

fn pattern(filter: &Value) -> Value {
    serde_json::from_str(filter["Pattern"].as_str().unwrap_or_default()).unwrap_or_default()
}

/// Every dead letter and every function that fails is told to somebody.
pub fn alarms(template: &Value) -> Vec<String> {
    let alarms = of_type(template, "AWS::CloudWatch::Alarm");
    let watched = |metric: &str, resource: &str| {
        let of = |alarm: &&&Value| {
            alarm["MetricName"] == metric && named(&alarm["Dimensions"][0]["Value"]) == Some(resource)
        };
        alarms.values().any(|alarm| of(&alarm))
    };
    let mut wrong = Vec::new();
    for name in of_type(template, "AWS::SQS::Queue").keys().filter(|name| name.ends_with("DeadLetters")) {
        if !watched("ApproximateNumberOfMessagesVisible", name) {
            wrong.push(format!("nobody hears of {name}"));
        }
    }
    let quiet = functions(template).into_keys().filter(|name| !watched("Errors", name));
    wrong.extend(quiet.map(|name| format!("nobody hears that {name} fails")));
    if !watched("IteratorAge", "DispatchFunction") {
        wrong.push("nobody hears that dispatch is late".to_owned());
    }
    let queues = of_type(template, "AWS::SQS::Queue").into_iter();
    for (name, queue) in queues.filter(|(name, _)| !name.ends_with("DeadLetters")) {
        // A message may be told to wait, and then it may find the store away once.
        let at_rest = DELAY_MAX + queue["VisibilityTimeout"].as_u64().unwrap_or_default();
        let age = alarms.values().find(|alarm| {
            alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
                && named(&alarm["Dimensions"][0]["Value"]) == Some(name)
        });
        // Nothing is told to wait in the inbound queue.
        let least = if name == "InboundQueue" { 1 } else { at_rest };
        if age.is_none_or(|alarm| alarm["Threshold"].as_u64().is_none_or(|seconds| seconds < least)) {
            wrong.push(format!("nobody hears that {name} is late, or everybody hears of what only waits"));
        }
    }
    for (name, alarm) in &alarms {
        if !leaves(&alarm["AlarmActions"]).contains(&"AlarmTopicArn") {
            wrong.push(format!("{name} tells nobody"));
        }
    }
    wrong
}
