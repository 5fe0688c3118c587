"""The real parts hold what the tests that stand on them take for granted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from real_parts.dockerd import Dockerd, DockerdRefusedError
from real_parts.moto_ec2 import REGION, MotoEc2
from real_parts.namespace import IMDS_IPV4, IMDS_IPV6, Namespace

pytestmark = pytest.mark.real_parts


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("address", [IMDS_IPV4, IMDS_IPV6])
def test_a_server_of_the_test_answers_at_the_metadata_addresses_inside(
    namespace: Namespace, address: str
) -> None:
    host = f"[{address}]" if ":" in address else address
    fetch = f"import urllib.request as u; print(u.urlopen('http://{host}/').read().decode())"
    with HTTPServer(("", 0), Hello, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = namespace.listen(address, 80)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            done = namespace.run([sys.executable, "-c", fetch])
        finally:
            server.shutdown()
            serving.join()
    assert done.stdout == "hello\n", done.stderr


def test_nothing_outside_can_be_reached_from_inside(namespace: Namespace) -> None:
    done = namespace.run(["ip", "-brief", "link", "show", "up"])
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["lo"]


def test_a_program_inside_starts_in_the_folder_asked_for(
    namespace: Namespace, tmp_path: Path
) -> None:
    assert namespace.run(["pwd"], cwd=tmp_path).stdout == f"{tmp_path}\n"
    assert namespace.run(["pwd"]).stdout == f"{Path.cwd()}\n"


def test_a_program_inside_gets_its_input_and_gives_its_status(namespace: Namespace) -> None:
    done = namespace.run(["bash", "-c", "cat; exit 7"], text="café\n")
    assert (done.stdout, done.returncode) == ("café\n", 7)


def test_a_program_inside_that_runs_too_long_is_killed(namespace: Namespace) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        namespace.run(["sleep", "1234.5"], seconds=0.2)
    assert "1234.5" not in namespace.run(["ps", "ax"]).stdout


def test_a_program_inside_that_is_stopped_can_clean_up(namespace: Namespace) -> None:
    script = "trap 'echo cleaned; exit 3' TERM; echo up; while :; do sleep 0.01; done"
    with namespace.start(["bash", "-c", script], stdout=subprocess.PIPE) as started:
        assert started.process.stdout is not None
        assert started.process.stdout.readline() == "up\n"
        assert started.stop() == 3
        assert started.process.stdout.read() == "cleaned\n"


def test_a_killed_test_run_leaves_nothing_behind(tmp_path: Path) -> None:
    script = (
        "import os; from real_parts.namespace import Namespace\n"
        "with Namespace.opened() as namespace:\n"
        "    namespace.start(['setsid', 'sleep', '4321.5'])\n"
        "    print('up', namespace.run(['pgrep', '-f', 'sleep 4321.5']).stdout, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(tests), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.startswith("up ")
    ends = time.monotonic() + 10
    sleeping = ["pgrep", "-f", "sleep 4321.5"]
    while subprocess.run(sleeping, check=False).returncode == 0 or any(tmp_path.iterdir()):
        assert time.monotonic() < ends, "still there"
        time.sleep(0.02)


def test_labels_reach_a_real_dockerd_through_bash(namespace: Namespace) -> None:
    items = [
        "--label=plain=web",
        "--label='spaced=a b'",
        r"--label=$'unicode=caf\xc3\xa9 \xf0\x9f\x90\x84'",
        r"--label=$'lines=1\n2'",
        "--label=empty=",
        "--label='command=$(touch pwned)'",
    ]
    with Dockerd.started(namespace, items) as dockerd:
        assert dockerd.labels() == {
            "plain": "web",
            "spaced": "a b",
            "unicode": "café 🐄",
            "lines": "1\n2",
            "empty": "",
            "command": "$(touch pwned)",
        }


def test_the_items_are_evaluated_by_a_real_bash(namespace: Namespace, tmp_path: Path) -> None:
    proof = tmp_path / "pwned"
    with Dockerd.started(namespace, [f"--label=x=$(touch {proof})"]) as dockerd:
        assert dockerd.labels() == {"x": ""}
    assert proof.exists()


def test_docker_opts_of_the_sourced_file_come_behind_the_items(
    namespace: Namespace, tmp_path: Path
) -> None:
    sourced = tmp_path / "docker"
    sourced.write_text("DOCKER_OPTS='--label=b=2'\n")
    with Dockerd.started(namespace, ["--label=a=1"], sourced=sourced) as dockerd:
        assert dockerd.labels() == {"a": "1", "b": "2"}


def test_a_dockerd_that_refuses_to_start_says_why(namespace: Namespace) -> None:
    twice = ["--label=a=1", "--label=a=2"]
    with (
        pytest.raises(DockerdRefusedError, match="conflict labels"),
        Dockerd.started(namespace, twice),
    ):
        pass


def test_tags_of_a_group_propagate_to_its_instance(moto_ec2: MotoEc2) -> None:
    tags = {"docker.role": "web", "example.db.host": "db.example.com"}
    instance_id = moto_ec2.launch_by_group(tags)
    described = moto_ec2.ec2.describe_tags(
        Filters=[{"Name": "resource-id", "Values": [instance_id]}]
    )
    found = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
    assert tags.items() <= found.items()
    assert all(key.startswith("aws:") for key in found.keys() - tags.keys())


def test_the_api_answers_inside_at_its_endpoint(namespace: Namespace, moto_ec2: MotoEc2) -> None:
    instance_id = moto_ec2.launch({"Größe": "a b"})
    moto_ec2.tag(instance_id, {"more": "1", "gone": ""})
    moto_ec2.untag(instance_id, "gone")
    script = (
        "import boto3, json, sys; ec2 = boto3.client('ec2', sys.argv[1], endpoint_url=sys.argv[2],"
        "aws_access_key_id='x', aws_secret_access_key='x');"
        "tags = ec2.describe_tags(Filters=[{'Name': 'resource-id', 'Values': [sys.argv[3]]}]);"
        "print({tag['Key']: tag['Value'] for tag in tags['Tags']})"
    )
    asked = [sys.executable, "-c", script, REGION, moto_ec2.endpoint, instance_id]
    done = namespace.run(asked)
    assert done.stdout == "{'Größe': 'a b', 'more': '1'}\n", done.stderr
