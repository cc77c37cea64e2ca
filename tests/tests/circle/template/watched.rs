//! Alarms, dashboard and log lines against what the code measures and what the runbook says.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use stagepost_domain::event::Action;
use stagepost_lambda::metrics::{Figure, NAMESPACE};

use super::document::{named, of_type, read};

const RUNBOOK: &str = "docs/runbook.md";

/// Alarms and dashboard name figures that are measured, as they are written, and every figure is looked at.
pub fn figures(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let known: BTreeSet<&str> = Figure::ALL.iter().map(|figure| figure.name()).collect();
    let mut seen = BTreeSet::new();
    let alarms = of_type(template, "AWS::CloudWatch::Alarm").into_iter();
    for (name, alarm) in alarms.filter(|(_, alarm)| alarm["Namespace"] == NAMESPACE) {
        let metric = alarm["MetricName"].as_str().unwrap_or_default();
        if !known.contains(metric) {
            wrong.push(format!("{name}: nothing measures {metric}"));
        }
        let of = &alarm["Dimensions"];
        let deployment = of[0]["Name"] == "Deployment" && named(&of[0]["Value"]) == Some("AWS::StackName");
        let action = Action::ALL.iter().any(|a| of[1] == json!({"Name": "Action", "Value": a.as_str()}));
        let as_written = if metric == Figure::RunLag.name() { action } else { of[1].is_null() };
        if !deployment || !as_written {
            wrong.push(format!("{name}: {metric} is never written for {of}"));
        }
        seen.insert(metric.to_owned());
    }
    let alarmed: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    for needed in
        ["RunLag", "RunsFailed", "RunsUncertain", "Quarantined", "Held", "MailsStopped", "AuditFindings"]
    {
        if !alarmed.contains(needed) {
            wrong.push(format!("nobody hears of {needed}"));
        }
    }
    let shown = shown(template);
    if shown.is_empty() {
        wrong.push("the dashboard shows nothing, or is no JSON".to_owned());
    }
    wrong.extend(
        shown.iter().filter(|m| !known.contains(m.as_str())).map(|m| format!("nothing measures {m}")),
    );
    seen.extend(shown);
    wrong.extend(known.iter().filter(|m| !seen.contains(**m)).map(|m| format!("nobody looks at {m}")));
    wrong
}

/// What the dashboard shows of the functions' own figures.
fn shown(template: &Value) -> BTreeSet<String> {
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0];
    let body: Value = serde_json::from_str(body.as_str().unwrap_or_default()).unwrap_or_default();
    let widgets = body["widgets"].as_array().cloned().unwrap_or_default();
    let metrics = widgets.iter().filter_map(|widget| widget["properties"]["metrics"].as_array()).flatten();
    let ours = metrics.filter(|metric| metric[0] == NAMESPACE);
    ours.filter_map(|metric| metric[1].as_str().map(str::to_owned)).collect()
}

/// The texts in backticks of a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Every alarm is named in a heading of the runbook, and no other.
pub fn runbook(template: &Value) -> Vec<String> {
    let text = read(RUNBOOK);
    let headings = text.lines().filter(|line| line.starts_with("### "));
    let told: BTreeSet<&str> = headings.flat_map(quoted).filter(|word| word.ends_with("Alarm")).collect();
    let there: BTreeSet<&str> = of_type(template, "AWS::CloudWatch::Alarm").into_keys().collect();
    let silent = there.difference(&told).map(|alarm| format!("{RUNBOOK} says nothing of {alarm}"));
    let gone = told.difference(&there).map(|alarm| format!("{RUNBOOK} tells of {alarm}, which is no alarm"));
    silent.chain(gone).collect()
}

/// Every field of a line that the code writes stands in the runbook's table, and no other.
pub fn fields() -> Vec<String> {
    let mut written = BTreeSet::new();
    for folder in ["functions", "shared/app", "shared/lambda", "shared/adapters"] {
        of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut written);
    }
    // The formatter's and the runtime's own.
    let given = ["level", "target", "message", "span.name", "span.requestId", "span.xrayTraceId"];
    written.extend(given.map(str::to_owned));
    let text = read(RUNBOOK);
    let table = text.split("## What is in a log line").nth(1).unwrap_or_default();
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let told = rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap_or_default()).map(str::to_owned));
    let told: BTreeSet<String> = told.collect();
    let silent = written.difference(&told).map(|field| format!("`{field}` is written and not in the table"));
    let gone = told.difference(&written).map(|field| format!("`{field}` is in the table and never written"));
    silent.chain(gone).collect()
}

fn of_folder(folder: &Path, fields: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                of_folder(&path, fields);
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for level in ["error", "warn", "info"] {
                for call in source.split(&format!("tracing::{level}!(")).skip(1) {
                    fields.extend(of_call(call));
                }
            }
        }
    }
}

/// The fields in front of a line's message: `%run`, `run = %id`, `?word`, `state`.
fn of_call(call: &str) -> Vec<String> {
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for c in call.chars() {
        match c {
            '"' => break,
            ')' if depth == 0 => break,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        part.push(c);
    }
    let name = |part: &String| {
        let name = part.split('=').next().unwrap_or_default();
        name.trim().trim_start_matches([',', ' ', '\n', '%', '?']).trim().to_owned()
    };
    parts.iter().map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_fields_of_a_line_are_found_in_its_source() {
    let source = "%run, shop = %event.shop, state = ?mail.map(|m, n| m), ?answered, lag_ms, \"run, late\")";
    assert_eq!(of_call(source), ["run", "shop", "state", "answered", "lag_ms"]);
    assert!(of_call("\"nothing, but words\")").is_empty());
}
