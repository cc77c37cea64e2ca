"""What orders and an idle deployment cost on AWS, as the tables of docs/cost.md. `make cost` prints them.

It calls nothing. Units are read from the table in ARCHITECTURE.md, which a test measures; how many queues, alarms,
keys, secrets and dashboards there are, from template.yaml; the shards of the due index from the code. Prices and assumptions stand below, each with its unit.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

# List prices of us-east-1 in USD as of November 2026, without free tiers. Sources: docs/cost.md.
PRICE = {
    "write": 0.625e-6,       # DynamoDB, on demand, a write request unit
    "read": 0.125e-6,        # a read request unit
    "storage": 0.25,         # a GB for a month
    "recovery": 0.20,        # point-in-time recovery of a GB for a month
    "invocation": 0.20e-6,   # Lambda
    "gb_second": 0.0000133334,  # on arm64
    "sqs": 0.40e-6,          # a request, of a standard queue
    "sns": 0.50e-6,          # a publish; what goes to a queue is delivered free
    "mail": 0.10e-3,         # SES, a mail
    "http": 1.00e-6,         # API Gateway, HTTP API, a request
    "log_gb": 0.50,          # CloudWatch Logs, a GB taken in
    "log_kept": 0.03,        # a GB for a month, packed to about a sixth
    "kms": 0.03 / 10_000,    # a request
    "kms_key": 1.00,         # a month; the first two rotations of the key add as much each
    "secret": 0.40,          # a month
    "alarm": 0.10,           # a metric in an alarm, a month
    "dashboard": 3.00,       # a month, beyond three
    "out_gb": 0.09,          # to the internet
    "step": 25e-6,           # Step Functions, Standard, a state transition
}

# Assumptions.
MEMORY_GB = 256 / 1024
ROUND_TRIP_MS = 5     # a call of the table, strongly consistent or a write
OWN_MS = 10           # what an invocation does itself
QUEUE_MS = 10         # a call of SQS
COLD_SHARE, COLD_MS = 0.05, 200   # one invocation in 20 begins a new instance
PLATFORM_LOG = 700    # bytes that Lambda logs of an invocation: start and report, as JSON
OWN_LOG = 300         # our one line
ENTRY_LOG = 26        # what CloudWatch adds to each entry
ACCESS_LOG = 260      # a line of the access log
OUT_KB = 50           # that leave for the internet with an order: webhooks with their handshakes, answers, two pages
KEPT_KB = 24          # what is kept of an order: no item is above a write unit
MONTH_MINUTES = 30 * 24 * 60

DEFINITION = "shared/adapters/dynamodb/src/table.rs"
WEBHOOK = "— its webhook, the first in an hour: read, place, claim, record, log, well"
DELIVERY = "a delivery that advances the order"
NONE, ALL = "a transition without an action", "a transition with mail, webhook and fulfillment"
# An order's life as infra/bench/src/heat/life.rs walks it: row, times, units beside the row (write, read), the
# function whose invocation it is, and what that waits for beside the table, in ms.
LIFE = [
    ("an order is seen for the first time", 1, (0, 0), "shopify-webhook", 0),
    ("the search takes in an order: number, two names, an address", 1, (0, 0), None, 0),
    ("the same notification again", 1, (0, 0), "shopify-webhook", 0),
    (NONE, 2, (1, 0), "api", 0),
    ("a package is added that is to be registered", 1, (0, 0), "api", 0),
    ("— its registration: read, claim, record", 1, (0, 0), "tracker-runner", 500),
    (ALL, 1, (0, 0), "api", 0),
    ("— its fulfillment: lock, claim, settle, record", 1, (0, 0), "fulfillment-runner", 3 * 400),
    ("an echo of our own fulfillment, notification 1", 1, (0, 0), "shopify-webhook", 0),
    ("an echo of our own fulfillment, notification 2", 2, (0, 0), "shopify-webhook", 0),
    (DELIVERY, 5, (-2, 0), "carrier-webhook", 0),
    (DELIVERY, 1, (3, 2), "carrier-webhook", 0),
    ("— its mail: read, claim, record", 4, (0, 0), "email-runner", 100),
    ("— its mail arrived", 4, (0, 0), "email-events", 0),
    ("— the same told again", 4, (0, 0), "email-events", 0),
    (WEBHOOK, 2, (-2, 0), "webhook-runner", 300),
]
HTTP = {"shopify-webhook", "api", "carrier-webhook", "tracking"}
EVENTS = 11           # of which each rings once: one record of the stream, one invocation of dispatch at worst
PAGES = 2             # times that a customer looks at the tracking page: four reads each
DOORBELLS = 8         # four mails, two webhooks, a fulfillment, a registration
MAIL_EVENTS = 8       # SES tells of each mail that it was sent, and that it arrived
SECRETS_OPENED = 15   # Decrypt calls at worst: every invocation that needs a secret finds none warm


def measured():
    """Rows of the table in ARCHITECTURE.md: name to write units, read units, round trips."""
    rows = {}
    for line in (ROOT / "ARCHITECTURE.md").read_text().split("## Request units")[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1].isdigit():
            rows[cells[0]] = tuple(int(cell) for cell in cells[1:])
    return rows


def deployed():
    """What template.yaml has of things that cost by the month."""
    text = (ROOT / "template.yaml").read_text()
    count = lambda kind: len(re.findall(rf"^    Type: {re.escape(kind)}$", text, re.M))
    return {
        "mapped queues": len(re.findall(r"^      EventSourceArn: !GetAtt \w+Queue\.Arn$", text, re.M)),
        "alarms": count("AWS::CloudWatch::Alarm"),
        "keys": count("AWS::KMS::Key"),
        "secrets": count("AWS::SecretsManager::Secret"),
        "dashboards": count("AWS::CloudWatch::Dashboard"),
        "shards": int(re.search(r"DUE_SHARDS: u8 = (\d+)", (ROOT / DEFINITION).read_text())[1]),
    }


def order():
    """An order's lines: what, how much of it, its unit, USD."""
    rows = measured()
    write = sum((rows[row][0] + beside[0]) * times for row, times, beside, _, _ in LIFE)
    read = sum((rows[row][1] + beside[1]) * times for row, times, beside, _, _ in LIFE)
    calls, ms, http = 0, 0, 0
    for row, times, _, function, waits in LIFE:
        ms += (rows[row][2] * ROUND_TRIP_MS + waits + (OWN_MS if function else 0)) * times
        calls += times if function else 0
        http += times if function in HTTP else 0
    calls, ms = calls + EVENTS, ms + EVENTS * (QUEUE_MS + OWN_MS)
    calls, ms, http = calls + PAGES, ms + PAGES * (4 * ROUND_TRIP_MS + OWN_MS), http + PAGES
    ms += calls * COLD_SHARE * COLD_MS
    messages = DOORBELLS + MAIL_EVENTS
    logs = calls * (PLATFORM_LOG + OWN_LOG + 3 * ENTRY_LOG) + http * (ACCESS_LOG + ENTRY_LOG)
    mails = next(times for row, times, _, _, _ in LIFE if row.startswith("— its mail: read"))
    lines = [
        ("DynamoDB writes", write, "units", write * PRICE["write"]),
        ("DynamoDB reads", read + 4 * PAGES, "units", (read + 4 * PAGES) * PRICE["read"]),
        ("stream, read by Lambda", EVENTS, "records", 0),
        ("Lambda invocations", calls, "", calls * PRICE["invocation"]),
        ("Lambda time", ms * MEMORY_GB / 1000, "GB-s", ms * MEMORY_GB / 1000 * PRICE["gb_second"]),
        ("SQS: send, receive, delete", 3 * messages, "requests", 3 * messages * PRICE["sqs"]),
        ("SNS, from SES", MAIL_EVENTS, "publishes", MAIL_EVENTS * PRICE["sns"]),
        ("API Gateway", http, "requests", http * PRICE["http"]),
        ("KMS, at worst", SECRETS_OPENED, "requests", SECRETS_OPENED * PRICE["kms"]),
        ("logs", logs / 1024, "KB", logs / 2**30 * PRICE["log_gb"]),
        ("to the internet", OUT_KB, "KB", OUT_KB / 2**20 * PRICE["out_gb"]),
        ("SES", mails, "mails", mails * PRICE["mail"]),
    ]
    return lines, write, read, calls, ms


def idle():
    """A month without orders: what, how it is computed, USD."""
    has = deployed()
    empty = has["mapped queues"] * 5 * 3 * MONTH_MINUTES
    wakes, shards = MONTH_MINUTES, has["shards"]
    wake = wakes * (PRICE["invocation"] + 0.05 * MEMORY_GB * PRICE["gb_second"] + shards * 0.5 * PRICE["read"])
    logs = wakes * (PLATFORM_LOG + OWN_LOG + 3 * ENTRY_LOG) / 2**30 * PRICE["log_gb"]
    return [
        ("queues, polled", f"{has['mapped queues']} queues × 5 pollers × 3 a minute × {MONTH_MINUTES:,} minutes = "
         f"{empty:,} requests", empty * PRICE["sqs"]),
        ("`wake`", f"{wakes:,} × (an invocation of 50 ms, {shards} empty queries of half a unit)", wake),
        ("its logs", f"{wakes:,} × {(PLATFORM_LOG + OWN_LOG + 3 * ENTRY_LOG) / 1024:.1f} KB", logs),
        ("schedule", "a rule on the default bus", 0),
        ("KMS key", f"{has['keys']}, before its first rotation", has["keys"] * PRICE["kms_key"]),
        ("secrets", f"{has['secrets']}", has["secrets"] * PRICE["secret"]),
        ("alarms", f"{has['alarms']} × 0.10, each on one metric", has["alarms"] * PRICE["alarm"]),
        ("dashboards", f"{has['dashboards']}, of which three are free",
         max(0, has["dashboards"] - 3) * PRICE["dashboard"]),
    ]


def store():
    """What one connected store costs a month by its reconciliation alone, every 15 minutes."""
    runs = MONTH_MINUTES // 15
    # Claim and record, each with its place in the due index; the channel, its cursor, the job; a call of a second.
    table = runs * (6 * PRICE["write"] + 6 * PRICE["read"])
    code = runs * (PRICE["invocation"] + 1.0 * MEMORY_GB * PRICE["gb_second"] + 3 * PRICE["sqs"] + PRICE["kms"])
    logs = runs * (PLATFORM_LOG + OWN_LOG + 3 * ENTRY_LOG) / 2**30 * PRICE["log_gb"]
    return runs, table + code + logs


OPEN_DAYS = 10        # that an order is under way, for the designs that look at it all that time


def naive(write):
    """Other designs: what, how it is computed for an order, USD an order."""
    polls = OPEN_DAYS * 24 * 60
    looks = OPEN_DAYS * 24 * 4
    stages, others, runs = 5, EVENTS - 5, DOORBELLS
    # An item of its own for the order's state, each run's state, each outbox row and each log line, two indexes
    # that project all of each state. A change of an index's key is a removal and a new entry: two units.
    states = stages * (2 + 2 + 2) + others * (2 + 1 + 2)
    each_run = (2 + 2) + 3 * (1 + 2 + 2) + (2 + 1) + 3
    split = states + EVENTS * 2 + runs * each_run + 10 + 20
    transitions = stages * 4 + runs * 3 + 6 * 2 + 2
    return [
        ("asks each open order every minute whether something is due",
         f"{polls:,} reads of a unit in {OPEN_DAYS} days", polls * PRICE["read"]),
        ("scans the table every minute for what is due", f"{KEPT_KB} KB of an order's, half a unit for 4 KB, "
         f"{MONTH_MINUTES:,} times",
         KEPT_KB / 4 * 0.5 * MONTH_MINUTES * PRICE["read"]),
        ("waits in delayed messages of 15 minutes", f"{looks:,} rounds in {OPEN_DAYS} days: three requests, an "
         "invocation of 20 ms and its log",
         looks * (3 * PRICE["sqs"] + PRICE["invocation"] + 0.02 * MEMORY_GB * PRICE["gb_second"]
                  + (PLATFORM_LOG + OWN_LOG + 3 * ENTRY_LOG) / 2**30 * PRICE["log_gb"])),
        ("state, runs, outbox and log as items of their own, two indexes of all attributes",
         f"{split} write units instead of {write}", (split - write) * PRICE["write"]),
        ("a Step Functions workflow (Standard) for each order",
         f"{transitions} transitions: four for each stage, three for each action, two for each report, two for "
         "begin and end", transitions * PRICE["step"]),
    ]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join("---:" if "USD" in title or title == "an order" else "---" for title in head) + " |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def main():
    lines, write, read, calls, ms = order()
    print(f"An order's life: {write} write units and {read} read units, {calls} invocations of {ms / calls:.0f} ms on average.\n")
    total = sum(usd for *_, usd in lines)
    figure = lambda n: f"{n:,.0f}" if n >= 10 else f"{n:.2f}".rstrip("0").rstrip(".")
    rows = [(what, f"{figure(n)} {unit}".strip(), f"{usd * 1e3:.4f}", f"{usd * 1e6:,.2f}")
            for what, n, unit, usd in lines]
    rows.append(("**all**", "", f"**{total * 1e3:.2f}**", f"**{total * 1e6:,.0f}**"))
    bare = total - lines[-1][-1]
    rows.append(("without the mails themselves", "", f"{bare * 1e3:.2f}", f"{bare * 1e6:,.0f}"))
    table(("", "an order", "1,000 orders, USD", "1,000,000 orders, USD"), rows)
    kept = KEPT_KB / 2**20 * (PRICE["storage"] + PRICE["recovery"])
    print(f"Kept for a month, with recovery: {kept * 1e3:.4f} USD for 1,000 orders, {kept * 1e6:,.2f} for 1,000,000.\n")
    months = idle()
    table(("a month without orders", "", "USD"), [(a, b, f"{usd:.2f}") for a, b, usd in months]
          + [("**all**", "", f"**{sum(usd for *_, usd in months):.2f}**")])
    runs, usd = store()
    print(f"Each connected store: {runs:,} reconciliations a month, {usd:.3f} USD.\n")
    rows = [(what, how, f"{usd * 1e3:,.2f}", f"{usd * 1e6:,.0f}") for what, how, usd in naive(write)]
    table(("a design that", "for an order", "1,000 orders a month, USD", "1,000,000, USD"), rows)


if __name__ == "__main__":
    main()
