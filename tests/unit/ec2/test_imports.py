"""What the way over the metadata service must not import: each would cost every boot its time."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = ("asyncio", "boto3", "botocore", "concurrent.futures", "tenacity", "yaml")


def test_a_reading_without_a_failure_imports_nothing_heavy() -> None:
    program = f"""
import http.server, json, sys, threading

DOCUMENT = json.dumps({{"instanceId": "i-0123456789abcdef0", "region": "eu-central-1"}})

class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self): self.answer("TOKEN")
    def do_GET(self):
        if self.path.endswith("/document"): return self.answer(DOCUMENT)
        if self.path.endswith("/tags/instance"): return self.answer("docker.role")
        if self.path.endswith("/docker.role"): return self.answer("web")
        self.answer("tags/" if self.path.endswith("/meta-data/") else "x")
    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *args): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
before = set(sys.modules)

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2 import api_errors, detect, transport
from rancheros_ec2_metadata.ec2.findings import Findings, Question
from rancheros_ec2_metadata.ec2.gather import gather_api, gather_imds
from rancheros_ec2_metadata.ec2.imds import Imds
from rancheros_ec2_metadata.settings import ApiSettings, ImdsSettings

settings = ImdsSettings(endpoint=f"http://127.0.0.1:{{server.server_port}}")
imds = Imds(transport.session(), settings, Limit.after(30, Clock()))
found, question = Findings(), Question(wanted=lambda key: True)
gather_imds(question, detect.Machine("yes"), imds, found)
gather_api(question, ApiSettings(), imds, found)
assert found.tags == {{"docker.role": "web"}}, found
print(*(name for name in {FORBIDDEN!r} if name in sys.modules and name not in before))
"""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.stdout.split(), ran.stderr, ran.returncode) == ([], "", 0)
