"""A small well-formed event for each function, of something that the store does not know, and what it answers."""

import json

ORDER = "run_cold.1"
RUNS = {
    "email-runner": f"{ORDER}.email.tmpl_cold.0",
    "webhook-runner": f"{ORDER}.webhook.ep_cold.0",
    "fulfillment-runner": f"{ORDER}.fulfill.none.0",
    "tracker-runner": f"{ORDER}.register_tracker.car_cold-pkg_cold.0",
}
# A time that any clock has passed.
AT = "2026-01-01T00:00:00Z"
TAGS = {"order": ["ord_cold"], "seq": ["1"], "template": ["tmpl_cold"], "generation": ["0"]}
MAIL = {"messageId": "cold", "timestamp": AT, "source": "a@shop.example", "destination": [], "tags": TAGS}
MESSAGES = {
    **{function: {"v": 1, "run": run} for function, run in RUNS.items()},
    "job-runner": {"v": 1, "shop": "shop_cold", "job": "job_cold"},
    "email-events": {"eventType": "Delivery", "mail": MAIL, "delivery": {"timestamp": AT}},
    # What was sealed cannot be made up: this one is buried, which is one call as well.
    "inbound-runner": {"v": 1},
}
JSON = {"content-type": "application/json"}
CALLS = {
    "api": ("GET", "/v1/orders", {"authorization": "Bearer sp_" + "c" * 43}, 401),
    "console": ("GET", "/orders", {}, 303),
    "tracking": ("GET", "/t/cold-AAAAAAAAAAAAAAAAAAAAAA", {}, 404),
    "shopify-webhook": ("POST", "/webhooks/shopify/chan_cold", JSON, 404),
    "woocommerce-webhook": ("POST", "/webhooks/woocommerce/chan_cold", JSON, 404),
    "carrier-webhook": ("POST", "/webhooks/carriers/car_cold", JSON, 404),
}


def call(method, path, headers):
    """An HTTP API's event, version 2.0 of its payload."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "cold"}
    known = {"accountId": "000000000000", "apiId": "cold", "domainName": "api.example", "requestId": "cold"}
    context = {**known, "http": http, "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 0}
    event = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "isBase64Encoded": False}
    return {**event, "headers": {"host": "api.example", **headers}, "requestContext": context, "body": "{}"}


def batch(body):
    record = {"messageId": "cold", "receiptHandle": "cold", "body": json.dumps(body), "attributes": {}}
    return {"Records": [{**record, "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1"}]}


def stream():
    """A new job, as the table's stream tells of it."""
    kind = {"kind": {"S": "backfill"}, "channel": {"S": "chan_cold"}, "since": {"S": AT}}
    job = {"id": {"S": "job_cold"}, "shop": {"S": "shop_cold"}, **kind, "state": {"S": "waiting"}, "due": {"S": AT}}
    job |= {"created_at": {"S": AT}, "version": {"N": "1"}}
    keys = {"pk": {"S": "SHOP#shop_cold"}, "sk": {"S": "JOB#job_cold"}}
    change = {"Keys": keys, "NewImage": {**keys, "sv": {"N": "1"}, "v": {"N": "1"}, "d": {"M": job}}}
    change |= {"ApproximateCreationDateTime": 0, "SequenceNumber": "1", "SizeBytes": 1}
    change["StreamViewType"] = "NEW_AND_OLD_IMAGES"
    record = {"eventID": "cold", "eventName": "INSERT", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1"}
    return {"Records": [{**record, "dynamodb": change}]}


def schedule():
    event = {"version": "0", "id": "cold", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": {}}
    return {**event, "account": "000000000000", "time": AT, "region": "us-east-1", "resources": []}


def event(function):
    """The event, and whether an answer to it is the expected one."""
    if function in CALLS:
        *how, status = CALLS[function]
        return call(*how), lambda answer: answer["statusCode"] == status
    if function in MESSAGES:
        return batch(MESSAGES[function]), lambda answer: not answer["batchItemFailures"]
    if function == "dispatch":
        return stream(), lambda answer: not answer["batchItemFailures"]
    if function == "wake":
        return schedule(), lambda answer: answer is None
    raise KeyError(f"{function} has no event in {__file__}")
