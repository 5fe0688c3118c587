"""Is this EC2? Each sign of it, alone and together."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancheros_ec2_metadata.ec2.firmware import Machine, detect

EC2_UUIDS = ["ec2e1916-9099-7caf-fd21-012345abcdef", "EC2E1916-9099-7CAF-FD21-012345ABCDEF"]
SWAPPED = ["45e12aec-dcd1-b213-94ed-012345abcdef", "45E12AEC-DCD1-B213-94ED-012345ABCDEF"]
OTHER = "4c4c4544-0051-3010-8052-b4c04f4d3232"


FILES = {
    "vendor": "sys/class/dmi/id/sys_vendor",
    "uuid": "sys/class/dmi/id/product_uuid",
    "tag": "sys/class/dmi/id/board_asset_tag",
    "bios": "sys/class/dmi/id/bios_version",
    "xen": "sys/hypervisor/uuid",
}


def detected(root: Path, **texts: str | None) -> Machine:
    for name, path in FILES.items():
        text = texts.get(name)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        if text is not None:
            (root / path).write_text(f"{text}\n")
    return detect(root)


@pytest.mark.parametrize("vendor", [None, "Xen", "QEMU", "Amazon EC2"])
def test_one_sign_of_ec2_is_enough_and_without_one_another_vendor_decides(
    tmp_path: Path, vendor: str | None
) -> None:
    for uuid in (None, OTHER, *EC2_UUIDS, *SWAPPED):
        for xen in (None, OTHER, EC2_UUIDS[0], SWAPPED[1]):
            for bios in (None, "4.2.amazon", "1.0 Amazon", "SeaBIOS 1.13"):
                signs = (
                    vendor == "Amazon EC2",
                    uuid in (*EC2_UUIDS, *SWAPPED),
                    xen in (*EC2_UUIDS, *SWAPPED),
                    bios is not None and "amazon" in bios.lower(),
                )
                expected = "yes" if any(signs) else "no" if vendor == "QEMU" else "unclear"
                machine = detected(tmp_path, vendor=vendor, uuid=uuid, xen=xen, bios=bios)
                assert machine.verdict == expected


@pytest.mark.parametrize(
    ("texts", "machine"),
    [
        ({}, Machine("unclear")),
        ({"vendor": "Not Amazon EC2"}, Machine("no")),
        ({"vendor": "amazon ec2"}, Machine("no")),
        ({"vendor": "Amazon EC2", "tag": "i-12345678"}, Machine("yes", "i-12345678")),
        ({"vendor": "Amazon EC2", "tag": "Not Specified"}, Machine("yes")),
        ({"vendor": "Amazon EC2", "tag": "i-1234567"}, Machine("yes")),
        ({"vendor": "Amazon EC2", "tag": "xi-0123456789abcdef0"}, Machine("yes")),
        ({"vendor": "Xen", "uuid": "45e1ec2a-dcd1"}, Machine("unclear", None, "45e1ec2a-dcd1")),
        (
            {"vendor": "Amazon EC2", "uuid": EC2_UUIDS[1], "tag": "i-0123456789abcdef0"},
            Machine("yes", "i-0123456789abcdef0", EC2_UUIDS[0]),
        ),
    ],
)
def test_nitro_tells_the_instance_id_and_any_machine_its_uuid(
    tmp_path: Path, texts: dict[str, str], machine: Machine
) -> None:
    assert detected(tmp_path, **texts) == machine


def test_bytes_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    dmi = tmp_path / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_bytes(b"\xff\xfe Corp")
    (dmi / "board_asset_tag").mkdir()
    assert detect(tmp_path) == Machine("no")
