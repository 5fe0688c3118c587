"""What all tests share: a machine, the rule for tests on real parts, and the real parts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from faulty_imds import FaultyImds
from machine import MachineDisk
from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from real_parts import image, requirements
from real_parts.dockerd import Dockerd
from real_parts.moto_ec2 import MotoEc2
from real_parts.namespace import Namespace
from unit.commands.workstation import Workstation

# A busy machine is no failure of a property.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

REAL_PARTS_REQUIRED = os.environ.get("REQUIRE_REAL_PARTS") == "1"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``real_parts`` where it cannot run, before its fixtures are made."""
    if item.get_closest_marker("real_parts") is None:
        return
    reason = requirements.missing()
    if reason is not None:
        pytest.skip(f"no real parts here: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make every skip of such a test a failure where real parts are required, whoever skipped."""
    report = yield
    marked = item.get_closest_marker("real_parts") is not None
    if REAL_PARTS_REQUIRED and marked and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_REAL_PARTS=1, but this test was skipped: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _no_aws_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)


@pytest.fixture
def disk(tmp_path: Path) -> MachineDisk:
    """A machine's disk, whose user-data has an argument of its own for Docker."""
    disk = MachineDisk(tmp_path / "disk")
    disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
    return disk


@pytest.fixture
def imds() -> Iterator[FaultyImds]:
    """The metadata service of an instance that shows its tags in it."""
    with FaultyImds(FakeInstance(tags={"docker.role": "web", "other": "x"})) as running:
        yield running


@pytest.fixture
def workstation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """An operator's workstation, whose home is empty."""
    home = tmp_path / "home"
    home.mkdir()
    return Workstation(home, monkeypatch)


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """Namespaces with the metadata service's addresses, shared by all tests on real parts."""
    with Namespace.opened() as opened:
        yield opened


@pytest.fixture(scope="session")
def moto_ec2(namespace: Namespace) -> Iterator[MotoEc2]:
    """The EC2 API inside ``namespace``; a test makes instances of its own in it."""
    with MotoEc2.started(namespace) as moto:
        yield moto


@pytest.fixture(scope="session")
def image_dockerd() -> Iterator[Dockerd]:
    """A dockerd that builds the image: on this machine's network, where the package index is."""
    with Namespace.opened("host") as opened, Dockerd.started(opened, []) as dockerd:
        yield dockerd


@pytest.fixture(scope="session")
def image_archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image as a file, for ``docker load`` in any dockerd; made by one process of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "image"
    with (shared / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (archives := [*folder.glob("*.tar.gz")]):
            folder.mkdir(exist_ok=True)
            dockerd = request.getfixturevalue("image_dockerd")
            image.make_base(dockerd, folder)
            archives = [image.make_archive(dockerd, folder)]
    return archives[0]
