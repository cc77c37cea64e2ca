//! The table.

use aws_sdk_dynamodb::types::{KeySchemaElement, Projection};
use serde_json::{Value, json};
use stagepost_dynamodb::table_definition;

fn schema(keys: &[KeySchemaElement]) -> Value {
    let key =
        |k: &KeySchemaElement| json!({"AttributeName": k.attribute_name(), "KeyType": k.key_type().as_str()});
    keys.iter().map(key).collect()
}

fn projection(projection: &Projection) -> Value {
    let mut shown = json!({"ProjectionType": projection.projection_type().unwrap().as_str()});
    if !projection.non_key_attributes().is_empty() {
        shown["NonKeyAttributes"] = json!(projection.non_key_attributes());
    }
    shown
}

/// As the store's own definition says, which makes the tables of local engines.
fn defined() -> [(&'static str, Value); 3] {
    let code = table_definition("stagepost").unwrap();
    let attributes = code.get_attribute_definitions().clone().unwrap();
    let attribute = attributes
        .iter()
        .map(|a| json!({"AttributeName": a.attribute_name(), "AttributeType": a.attribute_type().as_str()}));
    let indexes = code.get_global_secondary_indexes().clone().unwrap();
    let index = indexes.iter().map(|index| {
        json!({
            "IndexName": index.index_name(),
            "KeySchema": schema(index.key_schema()),
            "Projection": projection(index.projection().unwrap()),
        })
    });
    [
        ("AttributeDefinitions", attribute.collect()),
        ("KeySchema", schema(code.get_key_schema().as_deref().unwrap())),
        ("GlobalSecondaryIndexes", index.collect()),
    ]
}

pub fn table(template: &Value) -> Vec<String> {
    let deployed = [
        ("BillingMode", json!("PAY_PER_REQUEST")),
        ("StreamSpecification", json!({"StreamViewType": "NEW_AND_OLD_IMAGES"})),
        ("TimeToLiveSpecification", json!({"AttributeName": "ttl", "Enabled": true})),
        ("PointInTimeRecoverySpecification", json!({"PointInTimeRecoveryEnabled": true})),
        ("SSESpecification", json!({"SSEEnabled": true, "SSEType": "KMS"})),
        ("DeletionProtectionEnabled", json!({"Ref": "TableDeletionProtection"})),
    ];
    let resource = &template["Resources"]["Table"];
    let written = &resource["Properties"];
    let expected = defined().into_iter().chain(deployed);
    let wrong = expected.filter(|(name, value)| written[name] != *value);
    let mut wrong: Vec<String> =
        wrong.map(|(name, value)| format!("{name} is {} and should be {value}", written[name])).collect();
    for (resource, what) in [("Table", "the orders"), ("SecretsKey", "the secrets"), ("LinkKey", "the links")]
    {
        let kept = &template["Resources"][resource];
        if kept["UpdateReplacePolicy"] != "Retain" || kept["DeletionPolicy"] != "RetainExceptOnCreate" {
            wrong.push(format!("{what} may go with an update or with the stack"));
        }
    }
    wrong
}
