"""Deploys template.yaml to a stand-in of AWS on this machine, makes a shop, and runs a command against it.

    run.py FOLDER COMMAND...

FOLDER holds the functions' binaries (target/lambda/*/bootstrap) and gets everything that is written here. The stand-in
listens on 127.0.0.1 only; it dies with this script, however that ends. What the command finds in its environment:

    STAGEPOST_E2E_API       the deployed API
    STAGEPOST_E2E_TABLE     the deployed table
    STAGEPOST_E2E_PID       the stand-in, whose children the functions are
    STAGEPOST_E2E_STACK     names of the stack's resources, in JSON
    STAGEPOST_E2E_PROGRAM   the operator's program
    REHEARSAL_SHOPIFY_URL, REHEARSAL_EASYPOST_URL    where the functions look for Shopify and EasyPost
    AWS_...                 the stand-in, for every SDK
"""

import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "debug" / "stagepost"
STACK = "stagepost-e2e"
SENDER = "rehearsal.example"
READY_WITHIN = 60
DEPLOYED_WITHIN = 300


def free_ports(count):
    """Below those that calls go out from: what is taken later is still free then."""
    ports = []
    while len(ports) < count:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as one:
            if port not in ports and one.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
    return ports


def environment(data, stand_in, shopify, easypost):
    """Of everything that is started here: nothing of the machine's own AWS configuration is left."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    return kept | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{stand_in}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "REHEARSAL_SHOPIFY_URL": f"http://127.0.0.1:{shopify}",
        "REHEARSAL_EASYPOST_URL": f"http://127.0.0.1:{easypost}",
    }


def dies_with_us():
    """Asks the kernel (Linux) to kill the child when this process is gone, be it by `kill -9`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(command, **how):
    """In a session of its own, so that it ends with all that it starts."""
    return subprocess.Popen(command, start_new_session=True, preexec_fn=dies_with_us, **how)


def start_stand_in(data, env, port):
    own = env | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(data / "tmp"),
        "STATE_DIR": str(data / "state"),
        "S3_DATA_DIR": str(data / "s3"),
        # Listeners of their own, which nobody asks for here.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    program = pathlib.Path(sys.executable).parent / "ministack"
    log = (data / "stand-in.log").open("wb")
    return start([program], env=own, stdout=log, stderr=log)


def wait_until_ready(stand_in, url):
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if stand_in.poll() is not None:
            sys.exit(f"the stand-in ended with {stand_in.returncode}")
        try:
            urllib.request.urlopen(f"{url}/_ministack/health", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit("the stand-in is not ready")


def deploy(folder, env):
    """The template as it is. SAM looks for the binaries beside it, so it is copied to where a rehearsal's are."""
    shutil.copy(ROOT / "template.yaml", folder / "template.yaml")
    machine = "arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64"
    parameters = {
        "Architecture": machine,
        "SenderIdentity": SENDER,
        "MailsPerSecond": "100",
        "TableDeletionProtection": "false",
    }
    command = ["sam", "deploy", "--stack-name", STACK, "--template-file", "template.yaml", "--resolve-s3"]
    command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar"]
    command += ["--parameter-overrides", *[f"{name}={value}" for name, value in parameters.items()]]
    with (folder / "data" / "deploy.log").open("wb") as log:
        done = subprocess.run(command, cwd=folder, env=env, stdout=log, stderr=log, timeout=DEPLOYED_WITHIN)
    if done.returncode != 0:
        sys.stderr.write((folder / "data" / "deploy.log").read_text(errors="replace")[-4000:])
        sys.exit("sam deploy failed")


def client(env, service):
    own = {"region_name": env["AWS_REGION"], "aws_access_key_id": env["AWS_ACCESS_KEY_ID"]}
    own["aws_secret_access_key"] = env["AWS_SECRET_ACCESS_KEY"]
    return boto3.client(service, endpoint_url=env["AWS_ENDPOINT_URL"], **own)


def resources(env):
    """Logical names to physical ones."""
    told = client(env, "cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in told}


def bootstrap(env, stack, api):
    """The operator's first command (docs/deploy.md), and a first call with the key that it prints."""
    command = [PROGRAM, "bootstrap", "--table", stack["Table"], "--shop", "Rehearsal", "--from", f"hello@{SENDER}"]
    printed = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout
    key = printed.split("STAGEPOST_API_KEY=")[1].split()[0]
    call = urllib.request.Request(f"{api}/v1/settings", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(call, timeout=60) as answer:
        assert json.load(answer)["name"] == "Rehearsal"


def end(process):
    """It, and all that it started."""
    for one in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, one)
            process.wait(timeout=10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def main(folder, command):
    folder = pathlib.Path(folder).resolve()
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    (data / "tmp").mkdir(parents=True)
    port, shopify, easypost = free_ports(3)
    env = environment(data, port, shopify, easypost)
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, lambda number, _: sys.exit(128 + number))
    began = time.monotonic()
    started = [start_stand_in(data, env, port)]
    try:
        wait_until_ready(started[0], env["AWS_ENDPOINT_URL"])
        client(env, "sesv2").create_email_identity(EmailIdentity=SENDER)
        deploy(folder, env)
        stack = resources(env)
        api = f"{env['AWS_ENDPOINT_URL']}/_aws/execute-api/{stack['HttpApi']}/$default"
        print(f"deployed in {time.monotonic() - began:.0f} s", flush=True)
        bootstrap(env, stack, api)
        print(f"the first shop answers after {time.monotonic() - began:.0f} s", flush=True)
        own = env | {
            "STAGEPOST_E2E_API": api,
            "STAGEPOST_E2E_TABLE": stack["Table"],
            "STAGEPOST_E2E_PID": str(started[0].pid),
            "STAGEPOST_E2E_STACK": json.dumps(stack),
            "STAGEPOST_E2E_PROGRAM": str(PROGRAM),
        }
        started.append(start(command, env=own, cwd=ROOT))
        code = started[1].wait()
        print(f"done after {time.monotonic() - began:.0f} s", flush=True)
        if code != 0:
            print(f"what the stand-in and the functions said: {data / 'stand-in.log'}", file=sys.stderr)
        sys.exit(code)
    finally:
        for process in reversed(started):
            end(process)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
