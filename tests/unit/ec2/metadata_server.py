"""A nested dict as a whole metadata server on `responses`, as cloud-init's tests have it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import responses

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.ec2.imds import IPV4, Imds
from rancheros_ec2_metadata.log import Log
from rancheros_ec2_metadata.settings import ImdsSettings

if TYPE_CHECKING:
    import requests

Reply = tuple[int, dict[str, str], str | bytes]

NOW = 1_800_000_000.0  # what the service's clock says
INSTANCE_ID = "i-0123456789abcdef0"
MAC = "0e:49:61:0f:c3:11"
# Strings that no log may hold.
SECRETS = ("TOKEN-1-SECRET", "TOKEN-2-SECRET", "ASIASECRETKEYID", "secret/access/key", "session//t")

DOCUMENT = {
    "accountId": "123456789012",
    "architecture": "x86_64",
    "availabilityZone": "eu-central-1a",
    "billingProducts": None,
    "imageId": "ami-0abcdef1234567890",
    "instanceId": INSTANCE_ID,
    "instanceType": "m5.large",
    "pendingTime": "2027-01-15T07:59:00Z",  # a minute before NOW
    "privateIp": "10.0.0.7",
    "region": "eu-central-1",
    "version": "2017-09-30",
}
OLD = DOCUMENT | {"pendingTime": "2026-01-15T07:59:00Z"}

ROLE = {
    "iam": {
        "security-credentials": {
            "web-role": json.dumps(
                {
                    "Code": "Success",
                    "AccessKeyId": "ASIASECRETKEYID",
                    "SecretAccessKey": "secret/access/key",
                    "Token": "session//t",
                }
            )
        }
    }
}


def metadata(**more: Any) -> dict[str, Any]:
    """Return the meta-data/ of a plain instance; ``more`` replaces and adds top-level names."""
    tree: dict[str, Any] = {
        "ami-id": "ami-0abcdef1234567890",
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "hostname": "ip-10-0-0-7.eu-central-1.compute.internal",
        "instance-action": "none",
        "instance-id": INSTANCE_ID,
        "instance-life-cycle": "on-demand",
        "instance-type": "m5.large",
        "local-hostname": "ip-10-0-0-7.eu-central-1.compute.internal",
        "local-ipv4": "10.0.0.7",
        "mac": MAC,
        "network": {"interfaces": {"macs": {MAC: {"subnet-id": "subnet-1", "vpc-id": "vpc-1"}}}},
        "placement": {
            "availability-zone": "eu-central-1a",
            "availability-zone-id": "euc1-az2",
            "region": "eu-central-1",
        },
        "profile": "default-hvm",
        "reservation-id": "r-0123456789abcdef0",
        "security-groups": "default",
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    return tree | more


def latest(meta_data: Mapping[str, Any], document: object = None) -> dict[str, Any]:
    """Return all that is below /latest/."""
    text = json.dumps(DOCUMENT if document is None else document)
    return {
        "dynamic": {"instance-identity": {"document": text}},
        "meta-data": dict(meta_data),
    }


class FakeClock:
    """Time that passes only when it is slept."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def limit(self, seconds: float = 110) -> Limit:
        return Limit.after(seconds, Clock(lambda: self.time, self.sleep))


class MetadataServer:
    """What answers at one address.

    In the tree a dict is a folder, a text or bytes a leaf, an int a status, None a 404, an
    exception is raised, a list answers one after the other (the last for ever), a function is
    called for the answer.

    Args:
        tree: below /latest/.
        base: the address.
        put: as a leaf of the tree, what the token request is answered with; by default a token.
        v1: whether requests without a token are answered.
    """

    def __init__(
        self,
        tree: Mapping[str, Any],
        base: str = IPV4,
        *,
        put: Any = "TOKEN-1-SECRET",
        v1: bool = False,
    ) -> None:
        self.tree = tree
        self.base = base
        self.put = put
        self.v1 = v1
        self.valid: set[str] | None = None
        self.asked: list[str] = []
        self.sent: list[requests.PreparedRequest] = []
        self.headers = {"Date": formatdate(NOW, usegmt=True)}

    def start(self, mock: responses.RequestsMock) -> MetadataServer:
        url = re.compile(re.escape(self.base) + "/.*")
        for method in (responses.GET, responses.PUT):
            mock.add_callback(method, url, callback=self._answer)
        return self

    def paths(self) -> list[str]:
        """Return the paths asked for with GET, without /latest/."""
        return [asked.removeprefix("GET ") for asked in self.asked if asked.startswith("GET ")]

    def _answer(self, request: requests.PreparedRequest) -> Reply:
        status, headers, body = self._answer_of(request)
        length = len(body if isinstance(body, bytes) else body.encode())
        return status, headers | {"Content-Length": str(length)}, body

    def _answer_of(self, request: requests.PreparedRequest) -> Reply:
        path = str(request.url).removeprefix(f"{self.base}/latest/")
        self.asked.append(f"{request.method} {path}")
        self.sent.append(request)
        if request.method == "PUT":
            assert 1 <= int(request.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
            return self._reply(self.put)
        token = request.headers.get("X-aws-ec2-metadata-token")
        known = token is not None and (self.valid is None or token in self.valid)
        if not known and not (self.v1 and token is None):
            return (401, self.headers, "")
        return self._reply(self._at(path))

    def _at(self, path: str) -> Any:
        here: Any = self.tree
        for name in filter(None, path.split("/")):
            if not isinstance(here, Mapping) or name not in here:
                return None
            here = here[name]
        if isinstance(here, Mapping) and None in here:
            return here[None]  # a folder whose own answer is scripted
        return here

    def _reply(self, reply: Any) -> Reply:
        if isinstance(reply, list):
            return self._reply(reply.pop(0) if len(reply) > 1 else reply[0])
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            return self._reply(reply())
        if isinstance(reply, tuple):
            status, headers = reply
            return (status, self.headers | headers, "")
        if isinstance(reply, Mapping):
            names = (f"{k}/" if isinstance(v, Mapping) else k for k, v in reply.items())
            return (200, self.headers, "\n".join(names))
        if isinstance(reply, int) or reply is None:
            return (reply or 404, self.headers, "<html>404 - Not Found</html>")
        return (200, self.headers, reply)


def imds_of(
    clock: FakeClock,
    settings: ImdsSettings | None = None,
    seconds: float = 110,
    log: Log | None = None,
) -> Imds:
    """Return a client that waits on a clock of the tests."""
    return Imds(settings or ImdsSettings(), clock.limit(seconds), log or Log(io.StringIO()))


def connected(
    clock: FakeClock, settings: ImdsSettings | None = None, log: Log | None = None
) -> Imds:
    """Return such a client that has found its service."""
    imds = imds_of(clock, settings, log=log)
    imds.connect(imds.limit)
    return imds
