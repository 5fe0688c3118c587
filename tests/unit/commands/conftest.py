"""User-data, and an EC2 API that knows one instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.answering_api import AnsweringApi
from e2e.described_api import describing
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance

TAGS = {"docker.role": "web", "docker.motto": "it's café; $(x)", "example.db.host": "db.internal"}


@pytest.fixture
def instance() -> FakeInstance:
    return FakeInstance(
        tags=TAGS,
        role="node",
        autoscaling_group="web",
        public_ipv4="198.51.100.7",
        public_hostname="ec2-198-51-100-7.eu-west-1.compute.amazonaws.com",
        hostname="ip-10-0-0-12.eu-west-1.compute.internal",
        ipv6="2001:db8::12",
        security_groups=("default", "web"),
    )


@pytest.fixture
def api(instance: FakeInstance) -> Iterator[AnsweringApi]:
    with describing(instance) as running:
        yield running


@pytest.fixture
def user_data(tmp_path: Path) -> Path:
    file = tmp_path / "user-data.yml"
    file.write_text("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
    return file
