"""What a function meets on Lambda, on loopback: the runtime's API, and an AWS that knows nothing."""

import json
import queue
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARN = "arn:aws:lambda:us-east-1:000000000000:function:cold"
NEXT = "/2018-06-01/runtime/invocation/next"
INVOCATION_WITHIN = 30
# What DynamoDB and SQS say when there is nothing; every other call gets an empty object.
NOTHING = {
    "BatchGetItem": {"Responses": {}, "UnprocessedKeys": {}},
    "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "SendMessage": {"MessageId": "m", "MD5OfMessageBody": "0" * 32},
}


class Handler(BaseHTTPRequestHandler):
    """Answers in one write, without waiting for the other side's acknowledgement."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status, value, headers=()):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("content-type", "application/json"), ("content-length", str(len(body))), *headers):
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Whoever is killed leaves a connection behind, which is no news.
    handle_error = lambda *_: None

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def address(self):
        return f"127.0.0.1:{self.server_port}"


class Runtime(Server):
    """The runtime's API for one process: it says when the process asks, and gives it one event after the other."""

    def __init__(self):
        self.asked, self.events, self.answers = queue.Queue(), queue.Queue(), queue.Queue()
        super().__init__(RuntimeHandler)

    def end(self):
        self.events.put(None)
        self.shutdown()
        self.server_close()


class RuntimeHandler(Handler):
    def do_GET(self):
        now = time.perf_counter()
        if self.path != NEXT:
            return self.answer(404, {})
        self.server.asked.put(now)
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return None
        deadline = int((time.time() + INVOCATION_WITHIN) * 1000)
        headers = [("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")]
        headers += [("Lambda-Runtime-Deadline-Ms", str(deadline)), ("Lambda-Runtime-Invoked-Function-Arn", ARN)]
        headers += [("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")]
        return self.answer(200, event, headers)

    def do_POST(self):
        now, body = time.perf_counter(), self.body()
        self.answer(202, {"status": "OK"})
        failed = not self.path.endswith("/response")
        (self.server.asked if self.path.endswith("/init/error") else self.server.answers).put((now, failed, body))


class Aws(Server):
    """All of AWS behind TLS. It holds nothing, takes everything, and counts connections."""

    def __init__(self, folder):
        certificate, key = self.certificates(folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.connections = 0
        super().__init__(AwsHandler)

    def certificates(self, folder):
        """An authority of its own, and a certificate of this machine by it."""
        self.authority = folder / "ca.pem"
        key, request, certificate, more = (folder / name for name in ("key.pem", "csr.pem", "cert.pem", "more"))
        own = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        signs = ["-CA", self.authority, "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2"]
        more.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        for command in (
            ["req", "-x509", *own, "-keyout", folder / "ca.key", "-out", self.authority, "-subj", "/CN=cold"],
            ["req", *own, "-keyout", key, "-out", request, "-subj", "/CN=127.0.0.1"],
            ["x509", "-req", "-in", request, *signs, "-extfile", more, "-out", certificate],
        ):
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        return certificate, key

    def get_request(self):
        connection, address = super().get_request()
        self.connections += 1
        # The handshake is the handler's thread's.
        how = {"server_side": True, "do_handshake_on_connect": False}
        return self.context.wrap_socket(connection, **how), address


class AwsHandler(Handler):
    def do_POST(self):
        operation = self.headers.get("x-amz-target", self.path).rpartition(".")[2]
        body = self.body()
        self.answer(200, self.said(operation, body))

    @staticmethod
    def said(operation, body):
        if operation == "SendMessageBatch":
            sent = [entry["Id"] for entry in json.loads(body)["Entries"]]
            return {"Successful": [{"Id": one, "MessageId": one, "MD5OfMessageBody": "0" * 32} for one in sent]}
        return NOTHING.get(operation, {})
