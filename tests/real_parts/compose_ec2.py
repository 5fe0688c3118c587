"""The service ``ec2`` of docker-compose.test.yml: moto with an Auto Scaling group of one in it.

Writes the instance that the fake metadata service is to be, and the RancherOS disk it has booted.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

from moto.server import ThreadedMotoServer

from real_parts.moto_ec2 import REGION, MotoEc2

PORT = 5000
TAGS = {
    "docker.environment": "production",
    "docker.role": "web",
    "example.db.host": "db.internal",
    "example.queue.host": "mq.internal",
}
OS_CONFIG = "rancher: {environment: {VERSION: v1.5.8}, docker: {extra_args: []}}\n"
USER_DATA = "#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n"


def main() -> None:
    """Serve until SIGTERM."""
    server = ThreadedMotoServer("0.0.0.0", PORT)
    server.start()
    with MotoEc2.at(f"http://127.0.0.1:{PORT}", f"http://ec2:{PORT}") as moto:
        instance_id = moto.launch_by_group(TAGS)
    instance = {"instance_id": instance_id, "region": REGION, "role": "node"}
    Path("/instance/imds.json").write_text(json.dumps({**instance, "tags_in_metadata": False}))
    Path("/usr/share/ros/os-config.yml").write_text(OS_CONFIG)
    drop_ins = Path("/var/lib/rancher/conf/cloud-config.d")
    drop_ins.mkdir(parents=True, exist_ok=True)
    (drop_ins / "boot.yml").write_text(USER_DATA)
    Path("/dev/shm/ready").touch()  # new with each container's start: for the health check
    # The first process of a container does not end by SIGTERM unless it says so.
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
