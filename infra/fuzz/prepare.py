"""Makes one of everything over the API, and writes schemathesis' settings: `plain.toml`, and `ids.toml` with the ids of
what was made, without which nearly all generated calls would end at 404. Arguments: base URL, key, folder."""

import json
import sys
import urllib.request

BASE, KEY, FOLDER = sys.argv[1:4]


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data=data, method=method)
    request.add_header("Authorization", f"Bearer {KEY}")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def first(path):
    return call("GET", path)["items"][0]


flow = first("/v1/flows")
template = first("/v1/email-templates")
endpoint = call("POST", "/v1/webhook-endpoints", {"name": "ERP", "url": "http://127.0.0.1:9/"})
channel = call(
    "POST",
    "/v1/channels",
    {"platform": "shopify", "name": "S", "store": "fuzz.myshopify.com", "webhook_secret": "s"},
)
carrier = call("POST", "/v1/carriers", {"kind": "easypost", "name": "E", "webhook_secret": "s"})
parcel = {"number": "1Z999AA10123456784"}
order = call("POST", "/v1/orders", {"external_id": "fuzz", "flow": flow["id"], "packages": [parcel]})
call("POST", f"/v1/orders/{order['id']}/move", {"stage": "Printing", "expected_seq": order["seq"]})
timeline = call("GET", f"/v1/orders/{order['id']}/timeline")["items"]
runs = [run["id"] for entry in timeline for run in entry.get("runs", [])]

# A path's first part, and the id that its {id} takes.
IDS = {
    "flows": flow["id"],
    "email-templates": template["id"],
    "webhook-endpoints": endpoint["id"],
    "channels": channel["id"],
    "carriers": carrier["id"],
    "orders": order["id"],
    "runs": runs[0],
    "jobs": first("/v1/jobs")["id"],
}

PLAIN = """request-timeout = 30.0
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422"]
"""

ids = PLAIN
for tag, one in IDS.items():
    ids += f'[[operations]]\ninclude-path-regex = "^/v1/{tag}/[{{]id[}}]"\n'
    ids += f'parameters = {{ "path.id" = "{one}" }}\n'
package = order["packages"][0]["id"]
ids += '[[operations]]\ninclude-path-regex = "/packages/[{]package[}]$"\n'
ids += f'parameters = {{ "path.id" = "{order["id"]}", "path.package" = "{package}" }}\n'

for name, text in {"plain.toml": PLAIN, "ids.toml": ids}.items():
    with open(f"{FOLDER}/{name}", "w", encoding="utf-8") as file:
        file.write(text)
