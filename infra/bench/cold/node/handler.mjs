// The same on Node.js: a client of DynamoDB, one read to warm it, a handler that acts once per call.

import { makeIdempotent } from "@aws-lambda-powertools/idempotency";
import { DynamoDBPersistenceLayer } from "@aws-lambda-powertools/idempotency/dynamodb";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand } from "@aws-sdk/lib-dynamodb";

const tableName = process.env.TABLE_NAME;
const client = new DynamoDBClient({ maxAttempts: 3, requestHandler: { connectionTimeout: 1000, requestTimeout: 2000 } });
const documents = DynamoDBDocumentClient.from(client);
const persistenceStore = new DynamoDBPersistenceLayer({ tableName, awsSdkV3Client: client });

const read = () => documents.send(new GetCommand({ TableName: tableName, Key: { pk: "WARM", sk: "WARM" } }));

export const warmed = read();

export const handler = makeIdempotent(
  async () => {
    await read();
    return {};
  },
  { persistenceStore },
);
