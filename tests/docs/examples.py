"""Where the examples are, and what their services that join a cluster are started with."""

from __future__ import annotations

from docs.pages import ROOT

EXAMPLES = ROOT / "examples"
CLASSIC = EXAMPLES / "classic-swarm"
MODE = EXAMPLES / "swarm-mode"
SYSTEMD = EXAMPLES / "swarm-systemd"
AGENT = CLASSIC / "agent/when-complete.sh"
AGENT_ENVIRONMENT = {
    "EC2_METADATA_STATUS": "complete",
    "SWARM_ADVERTISE": "10.0.0.12:2375",
    "SWARM_DISCOVERY": "consul://consul.example.internal:8500/production",
}
JOIN = MODE / "join/join.sh"
JOIN_ENVIRONMENT = {
    "EC2_METADATA_STATUS": "complete",
    "AWS_REGION": "eu-west-1",
    "AWS_LOCAL_IPV4": "10.0.0.12",
    "SWARM_MANAGER": "manager.example.internal:2377",
    "SWARM_TOKEN_PARAMETER": "/swarm/production/worker-token",
}
