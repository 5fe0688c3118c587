"""Is this EC2? What a machine's firmware says decides how long a silence is waited for.

All runs of this module are made at once: what they do most is wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from failures import timed
from failures.in_process import GivenEc2, found
from failures.in_process import run as in_process_run
from failures.timed import Timed
from machine import MachineDisk
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.state import parse_state
from real_parts.namespace import IMDS_IPV4, IMDS_IPV6, Namespace

pytestmark = pytest.mark.real_parts

DMI = "/sys/class/dmi/id"
VENDOR, UUID, BIOS = f"{DMI}/sys_vendor", f"{DMI}/product_uuid", f"{DMI}/bios_version"
XEN_UUID = "/sys/hypervisor/uuid"
OURS, SWAPPED = "ec2e1916-9099-7caf-fd21-012345abcdef", "45E12AEC-DCD1-B213-94ED-012345ABCDEF"
THEIRS = "4c4c4544-0051-3010-8052-b4c04f4d3232"

# ec2-facts.md, "Is this EC2?": each sign, alone and beside what says nothing.
ON_EC2: Mapping[str, Mapping[str, str]] = {
    "nitro": {VENDOR: "Amazon EC2"},
    "xen-product-uuid": {VENDOR: "Xen", UUID: OURS.upper(), BIOS: "4.2"},
    "xen-product-uuid-swapped": {VENDOR: "Xen", UUID: SWAPPED},
    "xen-hypervisor-uuid": {VENDOR: "Xen", XEN_UUID: OURS, UUID: THEIRS},
    "xen-hypervisor-uuid-swapped": {XEN_UUID: SWAPPED.lower()},
    "xen-bios": {VENDOR: "Xen", BIOS: "4.11.amazon"},
}
UNCLEAR: Mapping[str, Mapping[str, str]] = {
    "nothing-readable": {},
    "xen-alone": {VENDOR: "Xen"},
    "xen-of-others": {VENDOR: "Xen", UUID: THEIRS, XEN_UUID: THEIRS, BIOS: "4.11.1"},
}
VENDOR_ALONE = "another-vendor"
ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "kvm": {VENDOR: "QEMU", UUID: THEIRS, BIOS: "1.16.2"},
    VENDOR_ALONE: {VENDOR: "Not Amazon EC2"},
}


@dataclass(frozen=True)
class Silence:
    """Networks in which the metadata service does not answer.

    Args:
        refuses: nobody listens at its addresses. swallows: somebody does, and says nothing.
        unreachable: there is no way to them.
    """

    refuses: Namespace
    swallows: Namespace
    unreachable: Namespace


@pytest.fixture(scope="module")
def silence() -> Iterator[Silence]:
    with (
        Namespace.opened() as refuses,
        Namespace.opened() as swallows,
        Namespace.opened("empty") as unreachable,
        swallows.listen(IMDS_IPV4, 80),
        swallows.listen(IMDS_IPV6, 80),
    ):
        yield Silence(refuses, swallows, unreachable)


@pytest.fixture(scope="module")
def runs(
    silence: Silence, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[tuple[str, str], Future[Timed]]]:
    """The runs of all cases."""

    folder = tmp_path_factory.mktemp("machines")  # not in a thread: pytest makes it unguarded

    def run(name: str, kind: str, firmware: Mapping[str, str], **variables: str) -> Timed:
        disk = MachineDisk(folder / name / kind)
        disk.user_data("#cloud-config\nrancher: {docker: {extra_args: [--debug]}}\n")
        in_process_run(disk.root, GivenEc2(found({"docker.role": "web"})))
        for path, text in firmware.items():
            disk.write(path, text + "\n")
        deadline, namespace = timed.IN_VAIN, networks[kind]
        return timed.run(disk, deadline=deadline, variables=variables, namespace=namespace)

    networks = {
        "refuses": silence.refuses,
        "swallows": silence.swallows,
        "unreachable": silence.unreachable,
        ENDPOINT: silence.swallows,
    }
    endpoint = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{IMDS_IPV4}"}
    with ThreadPoolExecutor(32) as pool:
        started = {
            (name, kind): pool.submit(run, name, kind, table[name])
            for table in (ELSEWHERE, UNCLEAR, ON_EC2)
            for name, kind in cases(table)
        }
        firmware = ELSEWHERE[VENDOR_ALONE]
        with_endpoint = pool.submit(run, VENDOR_ALONE, ENDPOINT, firmware, **endpoint)
        yield {**started, (VENDOR_ALONE, ENDPOINT): with_endpoint}


ENDPOINT = "an endpoint that swallows"
SILENCES = ("refuses", "swallows", "unreachable")


def cases(table: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """Return each firmware of a table in one silence, and one of them in each silence.

    What the firmware says is known before anything is asked: they need not all meet.
    """
    first, *others = table
    return [*((first, kind) for kind in SILENCES), *((name, SILENCES[0]) for name in others)]


def nothing_of_ours(disk: MachineDisk) -> bool:
    kept = parse_state(disk.path(paths.STATE).read_bytes())
    return not disk.path(paths.DROP_IN).exists() and not kept.holds_values()


@pytest.mark.parametrize(("name", "kind"), cases(ELSEWHERE))
def test_elsewhere_by_its_firmware_it_is_status_3_at_once(
    runs: Mapping[tuple[str, str], Future[Timed]], name: str, kind: str
) -> None:
    run = runs[name, kind].result()
    assert run.ran.status == 3
    assert run.ran.line("error", "its firmware names another vendor")
    assert run.ran.line("0 IMDS requests")
    assert nothing_of_ours(run.disk)


@pytest.mark.parametrize(("name", "kind"), cases(UNCLEAR))
def test_where_the_firmware_is_unclear_it_is_status_3_after_5_seconds_of_silence(
    runs: Mapping[tuple[str, str], Future[Timed]], name: str, kind: str
) -> None:
    run = runs[name, kind].result()
    assert run.ran.status == 3
    assert run.seconds > 4
    assert run.ran.line("error", "IMDS did not answer within 5 s")
    assert nothing_of_ours(run.disk)


@pytest.mark.parametrize(("name", "kind"), cases(ON_EC2))
def test_on_ec2_by_its_firmware_a_silence_is_status_4_at_the_end_of_reading(
    runs: Mapping[tuple[str, str], Future[Timed]], name: str, kind: str
) -> None:
    run = runs[name, kind].result()
    assert run.ran.status == 4
    # Reading ends ten seconds before the deadline.
    assert run.seconds > timed.IN_VAIN - 10.5
    assert not nothing_of_ours(run.disk)


def test_elsewhere_with_an_endpoint_set_a_silence_is_status_4_and_nothing_is_removed(
    runs: Mapping[tuple[str, str], Future[Timed]],
) -> None:
    run = runs[VENDOR_ALONE, ENDPOINT].result()
    assert run.ran.status == 4
    state = run.disk.path(paths.STATE).read_bytes()
    assert parse_state(state).labels == {"docker.role": "web"}
