"""Starts each function as Lambda would, beside a bare one and one on Node.js, and prints what that took.

    measure.py [--runs N] [--functions FOLDER] [--built FOLDER] [--note TEXT]

FOLDER of the functions holds `stagepost-*/bootstrap`; what was built to compare with them (`make cold`) is in the
other one. Linux only, with `openssl`. Ends with 1 if a function needs a newer glibc than Lambda's image has, does
not start, answers otherwise than expected, or opens connections in init unless somebody waits for its answers.
"""

import argparse
import json
import os
import pathlib
import queue
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import binary
import events
from standins import ARN, INVOCATION_WITHIN, Aws, Runtime

ROOT = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path(__file__).resolve().parent
# Amazon Linux 2023's.
GLIBC = (2, 34)
# An aim and no limit: what is larger is named.
ZIP_AIM = 6 * 1024 * 1024
STARTS_WITHIN = 10
ROOTS = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
BARE = {
    "bare": "the runtime, DynamoDB's client, one call; rustls on ring",
    "bare-aws-lc": "the same on aws-lc",
    "bare-aws-lc-no-jitter": "the same, built with `AWS_LC_SYS_NO_JITTER_ENTROPY=1`",
}
NODE = "node"


def variables(function):
    """Names of the variables that template.yaml gives a function, and what all get."""
    text = (ROOT / "template.yaml").read_text()
    blocks = re.split(r"^  (?=\w+:$)", text, flags=re.M)
    own = next(block for block in blocks if f"CodeUri: target/lambda/stagepost-{function}/\n" in block)
    return re.findall(r"^          ([A-Z][A-Z0-9_]+):", own.partition("Variables:\n")[2], flags=re.M)


def values(aws):
    """Of every variable in template.yaml: as a deployment without a relay has them, and nobody's."""
    queues = f"https://{aws}/000000000000/"
    names = ("EMAIL", "WEBHOOK", "FULFILLMENT", "JOBS", "TRACKER", "INBOUND", "DEAD_LETTER")
    return {
        "TABLE_NAME": "stagepost-cold",
        "KMS_KEY_ID": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000",
        "STAGEPOST_KEY": "c0fe" * 16,
        "PUBLIC_URL": "https://track.example/",
        "MAILS_BY_RELAY": "",
        "SES_CONFIGURATION_SET": "",
        "SMTP_URL": "",
        "MAILS_PER_SECOND": "1",
        **{f"{name}_QUEUE_URL": queues + name.lower() for name in names},
    }


def environment(aws, trusted, runtime):
    """What Lambda itself sets, and where AWS is. Nothing of this machine's."""
    return {
        "PATH": "/usr/bin:/bin",
        "TZ": ":UTC",
        "AWS_LAMBDA_RUNTIME_API": runtime,
        "AWS_LAMBDA_FUNCTION_NAME": "cold",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/stagepost/cold/functions",
        "AWS_LAMBDA_LOG_STREAM_NAME": "cold",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "_HANDLER": "bootstrap",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "STAGEPOST_LOG": "info",
        "AWS_ENDPOINT_URL": f"https://{aws.address()}",
        "SSL_CERT_FILE": str(trusted),
        "NODE_EXTRA_CA_CERTS": str(aws.authority),
    }


class Subject:
    """Something to start: its name, its command, its own variables, its event, and the expected answer to that."""

    def __init__(self, name, command, own, event, expected, file):
        self.name, self.command, self.own, self.expected, self.file = name, command, own, expected, file
        self.event = json.dumps(event).encode()
        self.runs = []


def subjects(functions, built, aws):
    known = values(aws.address())
    found = []
    for name in sorted(path.parent.name for path in functions.glob("stagepost-*/bootstrap")):
        function, file = name.removeprefix("stagepost-"), functions / name / "bootstrap"
        own = {variable: known[variable] for variable in variables(function)}
        found.append(Subject(function, [file], own, *events.event(function), file))
    if not found:
        sys.exit(f"no functions in {functions}: make build")
    table, anything = {"TABLE_NAME": known["TABLE_NAME"]}, lambda answer: answer == {}
    for name in BARE:
        file = built / name / "stagepost-bare" / "bootstrap"
        if file.exists():
            found.append(Subject(name, [file], table, {"a": 1}, anything, file))
    bundle, node = built / NODE / "index.js", shutil.which("node")
    if node and bundle.exists():
        found.append(Subject(NODE, [node, HERE / "node" / "runtime.cjs", bundle], table, {"a": 1}, anything, bundle))
    return found


def cpu_of(pid):
    """Seconds of CPU that a process's threads have used."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def peak_of(pid):
    """Most bytes that were resident at once."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, flags=re.M)[1]) * 1024


def taken(asked, process, name):
    """When the process asked for an event."""
    try:
        told = asked.get(timeout=STARTS_WITHIN)
    except queue.Empty:
        sys.exit(f"{name} does not start (it {'runs' if process.poll() is None else 'has ended'})")
    if isinstance(told, tuple):
        sys.exit(f"{name} does not start: {told[2].decode(errors='replace')}")
    return told


def invoke(runtime, process, one):
    began = time.perf_counter()
    runtime.events.put(one.event)
    ended, failed, body = runtime.answers.get(timeout=INVOCATION_WITHIN)
    answer = body.decode(errors="replace")
    if failed or not one.expected(json.loads(answer)):
        sys.exit(f"{one.name} answers otherwise than expected: {answer[:500]}")
    taken(runtime.asked, process, one.name)
    return ended - began


def run(one, aws, trusted, log):
    """One life: started, called twice, killed."""
    runtime = Runtime()
    connections = aws.connections
    began = time.perf_counter()
    env = environment(aws, trusted, runtime.address()) | one.own
    process = subprocess.Popen(one.command, env=env, cwd="/", stdout=log, stderr=log)
    try:
        init = taken(runtime.asked, process, one.name) - began
        cpu = cpu_of(process.pid)
        warmed = aws.connections
        first, called = invoke(runtime, process, one), cpu_of(process.pid) - cpu
        second = invoke(runtime, process, one)
        made = {"connections": warmed - connections, "later": aws.connections - warmed}
        times = {"init": init, "cpu": cpu, "first": first, "called": called, "second": second}
        return {**times, **made, "peak": peak_of(process.pid)}
    finally:
        process.kill()
        process.wait()
        runtime.end()


def ms(seconds):
    return f"{seconds * 1000:.1f}"


def mib(size):
    return f"{size / 1024 / 1024:.2f}"


def figures(one):
    """What was measured of one: medians of times and memory, sizes, the newest glibc it needs."""
    data = one.file.read_bytes()
    middle = {field: statistics.median(run[field] for run in one.runs) for field in one.runs[0]}
    inits = [run["init"] for run in one.runs]
    glibc = binary.newest_glibc(data) if data[:4] == b"\x7fELF" else None
    sizes = {"zip": binary.zipped(one.file.name, data), "size": len(data), "glibc": glibc}
    return {**middle, **sizes, "least": min(inits), "most": max(inits)}


def row(name, of, base):
    cells = [name, mib(of["zip"]), mib(of["size"]), ".".join(map(str, of["glibc"] or ["–"]))]
    cells += [f"{ms(of['least'])} / {ms(of['init'])} / {ms(of['most'])}", ms(of["cpu"])]
    cells += [ms(of["first"]), ms(of["called"]), ms(of["second"]), mib(of["peak"])]
    cells += [f"{of['connections']:.0f} + {of['later']:.0f}"]
    return cells + [f"{of[field] / base[field]:.2f}" if base else "–" for field in ("zip", "init", "cpu", "peak")]


HEADS = ["function", "zip, MiB", "binary, MiB", "glibc", "init, ms: min / median / max", "CPU of init, ms"]
HEADS += ["1st call, ms", "CPU of it, ms", "2nd call, ms", "peak, MiB", "connections: init + calls"]
HEADS += ["zip ×", "init ×", "CPU ×", "peak ×"]


def table(heads, rows):
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def linked(function):
    """What a function links of ours and of AWS's, and of how many crates it is in all."""
    command = ["cargo", "tree", "--package", f"stagepost-{function}", "--edges", "normal", "--prefix", "none"]
    text = subprocess.run([*command, "--format", "{p}"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    crates = {line.split(" (")[0] for line in text.splitlines() if line}
    names = sorted({crate.split(" ")[0] for crate in crates})
    adapters = {path.name for path in (ROOT / "shared" / "adapters").iterdir()}
    ours = [name.removeprefix("stagepost-") for name in names if name.removeprefix("stagepost-") in adapters]
    sdks = [name.removeprefix("aws-sdk-") for name in names if name.startswith("aws-sdk-")]
    return [function, ", ".join(ours), ", ".join(sdks), str(len(crates))]


def machine():
    model = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), flags=re.M)
    return f"{os.uname().machine}, {os.cpu_count()} × {model[1] if model else 'a CPU without a name'}"


def node_said(found):
    if not any(one.name == NODE for one in found):
        return "Node.js was not measured: no node, or no bundle."
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return f"Node.js {version} without AWS's own runtime, which is not to be had; a small loop stands in for it."


def report(found, count, note):
    """Prints it, and gives what must not be."""
    of = {one.name: figures(one) for one in found}
    ours = [one.name for one in found if one.name not in BARE and one.name != NODE]
    print(f"{machine()}; {count} starts of each, in turn{'; ' + note if note else ''}.\n")
    print(table(HEADS, [row(name, one, of.get("bare")) for name, one in of.items()]))
    print("\n" + "\n".join(f"`{name}`: {what}." for name, what in BARE.items() if name in of))
    print(node_said(found))
    print("\n" + table(["function", "adapters", "AWS SDKs", "crates"], [linked(name) for name in ours]))
    newest = max(of[name]["glibc"] or (0, 0) for name in ours)
    says = f"the newest symbol of glibc that a function needs is of {newest[0]}.{newest[1]}"
    print(f"\nOf {len(ours)} functions, {says}; Lambda's image has {GLIBC[0]}.{GLIBC[1]}.")
    for name in ours:
        if of[name]["zip"] > ZIP_AIM:
            print(f"{name} is larger than the aim: {mib(of[name]['zip'])} MiB of {mib(ZIP_AIM)}.")
    # Somebody waits for these, and only for these a connection is opened before the first call.
    odd = [name for name in ours if of[name]["connections"] != (name in events.CALLS)]
    wrong = [f"{name} opens {of[name]['connections']:.0f} connections in init" for name in odd]
    return wrong + ([f"{says}, which Lambda's image has not"] if newest > GLIBC else [])


def whole(path):
    """Functions are started elsewhere."""
    return pathlib.Path(path).resolve()


def main(arguments):
    roots = next((pathlib.Path(path) for path in ROOTS if os.path.exists(path)), None)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        aws = Aws(folder)
        # As many roots to read as a function finds in its image.
        trusted = folder / "trusted.pem"
        trusted.write_bytes((roots.read_bytes() if roots else b"") + aws.authority.read_bytes())
        found = subjects(arguments.functions, arguments.built, aws)
        with (arguments.built / "functions.log").open("wb") as log:
            for _ in range(arguments.runs):
                for one in found:
                    one.runs.append(run(one, aws, trusted, log))
        wrong = report(found, arguments.runs, arguments.note)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--functions", type=whole, default=ROOT / "target" / "lambda")
    parser.add_argument("--built", type=whole, default=ROOT / "target" / "cold")
    parser.add_argument("--note", default="")
    main(parser.parse_args())
