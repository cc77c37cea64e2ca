//! A deployment on a restored table, and one that is paused (docs/runbook.md).

use serde_json::{Value, json};

use super::document::{chosen, of_type};

const ARN: &str =
    "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTableName}";

/// What stands for a part of the restored table where this stands for one of the stack's own.
fn counterpart(own: &Value) -> Option<Value> {
    let index = own["Fn::Sub"].as_str().and_then(|text| text.strip_prefix("${Table.Arn}"));
    if *own == json!({"Ref": "Table"}) {
        Some(json!({"Ref": "RestoredTableName"}))
    } else if *own == json!({"Fn::GetAtt": ["Table", "Arn"]}) {
        Some(json!({"Fn::Sub": ARN}))
    } else if *own == json!({"Fn::GetAtt": ["Table", "StreamArn"]}) {
        Some(json!({"Ref": "RestoredTableStreamArn"}))
    } else {
        index.map(|index| json!({"Fn::Sub": format!("{ARN}{index}")}))
    }
}

/// Places at which the stack's own table would be used although another one was restored.
fn missed(value: &Value, place: &str, wrong: &mut Vec<String>) {
    if let Some((restored, own)) = chosen(value, "HasRestoredTable") {
        if counterpart(own).as_ref() != Some(restored) {
            wrong.push(format!("{place}: {restored} does not stand for {own}"));
        }
        return;
    }
    let by_name = value["Fn::Sub"].as_str().is_some_and(|text| text.contains("${Table"));
    if by_name || value["Ref"] == "Table" || value["Fn::GetAtt"][0] == "Table" {
        wrong.push(format!("{place}: {value} stays with the old table"));
    }
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| missed(value, &format!("{place}/{name}"), wrong));
        }
        Value::Array(items) => items.iter().for_each(|value| missed(value, place, wrong)),
        _ => {}
    }
}

pub fn restored(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in ["Globals", "Resources", "Outputs"] {
        missed(&template[part], part, &mut wrong);
    }
    // Otherwise an update would ask something of a table that may be deleted by then. `store::table` sees that it stays.
    if template["Resources"]["Table"]["Condition"] != "HasOwnTable"
        || template["Conditions"]["HasOwnTable"] != json!({"Fn::Equals": [{"Ref": "RestoredTableName"}, ""]})
    {
        wrong.push("the stack holds on to its own table although another one was restored".to_owned());
    }
    let pausing = |then: Value, otherwise: Value| json!({"Fn::If": ["IsPaused", then, otherwise]});
    for (name, mapping) in of_type(template, "AWS::Lambda::EventSourceMapping") {
        if mapping["Enabled"] != pausing(json!(false), json!(true)) {
            wrong.push(format!("{name} goes on in a pause"));
        }
    }
    for (name, rule) in of_type(template, "AWS::Events::Rule") {
        if rule["State"] != pausing(json!("DISABLED"), json!("ENABLED")) {
            wrong.push(format!("{name} goes on in a pause"));
        }
    }
    for (needed, by) in [("RestoredTableStreamArn", "RestoredTableName"), ("RestoredAt", "RestoredTableName")]
    {
        let rule = template["Rules"]["RestoredTableNeedsItsStreamAndTheCut"].to_string();
        if !rule.contains(needed) || !rule.contains(by) {
            wrong.push(format!("{by} is taken without {needed}"));
        }
    }
    wrong
}
