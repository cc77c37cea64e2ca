//! The table's shape: what the deployment describes, for local engines and tests.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use stagepost_app::ports::StoreError;

use crate::error::store_error;

/// Partitions of the due index: enough for some thousand changes a second, few enough to ask them all.
pub const DUE_SHARDS: u8 = 4;

pub(crate) const PK: &str = "pk";
pub(crate) const SK: &str = "sk";
pub(crate) const GSI1: &str = "GSI1";
pub(crate) const GSI2: &str = "GSI2";
/// Epoch seconds after which the item may go.
pub(crate) const TTL: &str = "ttl";
/// Number and platform, the only projected attributes beside the keys: they hardly ever change.
const GSI1_PROJECTED: [&str; 2] = ["n", "p"];

/// The table without its stream, backups and tags, which belong to a deployment.
///
/// # Errors
/// None in practice: the SDK's builders check required fields at run time.
pub fn table_definition(name: &str) -> Result<CreateTableInputBuilder, BuildError> {
    let listing = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(GSI1_PROJECTED.map(str::to_owned).to_vec()))
        .build();
    let due = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let mut table = CreateTableInputBuilder::default()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_schema(PK, SK)?))
        .global_secondary_indexes(index(GSI1, "g1pk", "g1sk", listing)?)
        .global_secondary_indexes(index(GSI2, "g2pk", "g2sk", due)?);
    for attribute in [PK, SK, "g1pk", "g1sk", "g2pk", "g2sk"] {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()?;
        table = table.attribute_definitions(definition);
    }
    Ok(table)
}

fn key_schema(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>, BuildError> {
    let element = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![element(hash, KeyType::Hash)?, element(range, KeyType::Range)?])
}

fn index(
    name: &str,
    hash: &str,
    range: &str,
    projection: Projection,
) -> Result<GlobalSecondaryIndex, BuildError> {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .set_key_schema(Some(key_schema(hash, range)?))
        .projection(projection)
        .build()
}

/// Makes the table in a local engine, if it is not there.
///
/// # Errors
/// The engine's.
pub async fn create_table(client: &Client, name: &str) -> Result<(), StoreError> {
    let invalid =
        |_| StoreError::Corrupt { item: "table".to_owned(), reason: "incomplete definition".to_owned() };
    let made = table_definition(name).map_err(invalid)?.send_with(client).await;
    if let Err(error) = made
        && !error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception())
    {
        return Err(store_error(&error));
    }
    if expires(client, name).await? {
        return Ok(());
    }
    let ttl =
        TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build().map_err(invalid)?;
    let update = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
    update.send().await.map_err(|error| store_error(&error))?;
    Ok(())
}

/// Whether items of the table go when their time is over; a start that was killed may have left that out.
async fn expires(client: &Client, name: &str) -> Result<bool, StoreError> {
    let answer = client.describe_time_to_live().table_name(name).send().await;
    let answer = answer.map_err(|error| store_error(&error))?;
    Ok(answer.time_to_live_description().and_then(|d| d.attribute_name()) == Some(TTL))
}
