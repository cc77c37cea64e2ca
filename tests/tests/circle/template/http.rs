//! Routes, their limits, and what is logged of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{named, of_type, read};

const ROUTES: [(&str, &str); 8] = [
    ("ANY /v1/{proxy+}", "ApiFunction"),
    ("POST /webhooks/shopify/{channel}", "ShopifyWebhookFunction"),
    ("POST /webhooks/woocommerce/{channel}", "WoocommerceWebhookFunction"),
    ("POST /webhooks/carriers/{integration}", "CarrierWebhookFunction"),
    ("GET /t/{token}", "TrackingFunction"),
    ("HEAD /t/{token}", "TrackingFunction"),
    ("ANY /{proxy+}", "ConsoleFunction"),
    ("ANY /", "ConsoleFunction"),
];

pub fn routes(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let integrations = of_type(template, "AWS::ApiGatewayV2::Integration");
    let permissions = of_type(template, "AWS::Lambda::Permission");
    let mut left: BTreeMap<&str, &str> = ROUTES.into_iter().collect();
    for (name, route) in of_type(template, "AWS::ApiGatewayV2::Route") {
        let key = route["RouteKey"].as_str().unwrap_or_default();
        let target = route["Target"]["Fn::Sub"].as_str().unwrap_or_default();
        let target =
            target.strip_prefix("integrations/${").and_then(|t| t.strip_suffix('}')).unwrap_or_default();
        let integration = integrations.get(target);
        let function = integration.and_then(|i| named(&i["IntegrationUri"]));
        if integration
            .is_none_or(|i| i["PayloadFormatVersion"] != "2.0" || i["IntegrationType"] != "AWS_PROXY")
        {
            wrong.push(format!("{name} does not call as the functions are written"));
        }
        if left.remove(key) != function || function.is_none() {
            wrong.push(format!("{key} leads to {function:?}"));
        }
        let (method, path) = key.split_once(' ').unwrap_or_default();
        let method = if method == "ANY" { "*" } else { method };
        let suffix = format!("${{HttpApi}}/*/{method}{path}");
        let may = |p: &&&Value| {
            named(&p["FunctionName"]) == function
                && p["SourceArn"]["Fn::Sub"].as_str().is_some_and(|arn| arn.ends_with(&suffix))
        };
        if !permissions.values().any(|p| may(&p)) {
            wrong.push(format!("the gateway may not call {function:?} for {key}"));
        }
    }
    wrong.extend(left.keys().map(|key| format!("there is no route {key}")));
    wrong.extend(limits(template));
    wrong
}

/// Every method that the tracking page answers leads to it. One without a route falls to the console, which knows no
/// such page.
pub fn tracking_methods(template: &Value) -> Vec<String> {
    let source = read("functions/tracking/src/lib.rs");
    let word = |rest: &str| rest.chars().take_while(char::is_ascii_uppercase).collect::<String>();
    let answered: BTreeSet<String> = source.split(" Method::").skip(1).map(word).collect();
    let routes = of_type(template, "AWS::ApiGatewayV2::Route");
    let keys: BTreeSet<&str> = routes.values().filter_map(|route| route["RouteKey"].as_str()).collect();
    let silent = answered.iter().filter(|method| !keys.contains(format!("{method} /t/{{token}}").as_str()));
    let mut wrong: Vec<String> =
        silent.map(|method| format!("{method} of a tracking page does not reach it")).collect();
    if answered.is_empty() {
        wrong.push("nobody finds the methods that the tracking page answers".to_owned());
    }
    wrong
}

fn limits(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let stages = of_type(template, "AWS::ApiGatewayV2::Stage");
    if stages.len() != 1 {
        wrong.push("there is no stage, or more than one".to_owned());
    }
    for (name, stage) in stages {
        let limited = |settings: &Value| {
            ["ThrottlingRateLimit", "ThrottlingBurstLimit"]
                .iter()
                .all(|l| settings[l].as_u64().is_some_and(|n| n > 0))
        };
        let settings = stage["RouteSettings"].as_object().cloned().unwrap_or_default();
        let strangers = settings.keys().filter(|key| ROUTES.iter().all(|(route, _)| route != key));
        wrong.extend(strangers.map(|key| format!("{name} has settings for {key}, which is no route")));
        let free = ROUTES.iter().filter(|(route, _)| !settings.get(*route).is_some_and(limited));
        wrong.extend(free.map(|(route, _)| format!("{name} sets no limit to {route}")));
    }
    wrong
}

pub fn access_log(template: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, stage) in of_type(template, "AWS::ApiGatewayV2::Stage") {
        let format = stage["AccessLogSettings"]["Format"].as_str().unwrap_or_default();
        if serde_json::from_str::<Value>(format).is_err() {
            wrong.push(format!("{name}: the access log is no JSON"));
        }
        // A tracking page's path is its token; addresses are people's.
        for told in ["$context.path", "$context.identity", "requestOverride", "$context.authorizer"] {
            if format.contains(told) {
                wrong.push(format!("{name}: the access log tells {told}"));
            }
        }
    }
    for (name, group) in of_type(template, "AWS::Logs::LogGroup") {
        if named(&group["RetentionInDays"]) != Some("LogRetentionDays") {
            wrong.push(format!("{name} is kept for ever"));
        }
    }
    wrong
}
