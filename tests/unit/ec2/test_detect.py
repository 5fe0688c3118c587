"""Is this EC2? Each sign of ec2-facts, alone and together."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancheros_ec2_metadata.ec2.detect import Facts, Machine, detect, judge

EC2_UUIDS = ["ec2e1916-9099-7caf-fd21-012345abcdef", "EC2E1916-9099-7CAF-FD21-012345ABCDEF"]
SWAPPED = ["45e12aec-dcd1-b213-94ed-012345abcdef", "45E12AEC-DCD1-B213-94ED-012345ABCDEF"]
OTHER = "4c4c4544-0051-3010-8052-b4c04f4d3232"


@pytest.mark.parametrize("vendor", [None, "Xen", "QEMU", "Amazon EC2"])
@pytest.mark.parametrize("product_uuid", [None, OTHER, *EC2_UUIDS, *SWAPPED])
@pytest.mark.parametrize("hypervisor_uuid", [None, OTHER, *EC2_UUIDS, *SWAPPED])
@pytest.mark.parametrize("bios", [None, "4.2.amazon", "1.0 Amazon", "SeaBIOS 1.13"])
def test_one_sign_of_ec2_is_enough_and_without_one_another_vendor_decides(
    vendor: str | None, product_uuid: str | None, hypervisor_uuid: str | None, bios: str | None
) -> None:
    signs = (
        vendor == "Amazon EC2",
        product_uuid in (*EC2_UUIDS, *SWAPPED),
        hypervisor_uuid in (*EC2_UUIDS, *SWAPPED),
        bios is not None and "amazon" in bios.lower(),
    )
    facts = Facts(vendor, product_uuid, None, bios, hypervisor_uuid)
    expected = "yes" if any(signs) else "no" if vendor == "QEMU" else "unclear"
    assert judge(facts).verdict == expected


@pytest.mark.parametrize("vendor", ["Not Amazon EC2", "amazon ec2", "Amazon EC2 compatible"])
def test_a_vendor_that_only_sounds_like_it_is_another_vendor(vendor: str) -> None:
    assert judge(Facts(sys_vendor=vendor)).verdict == "no"


@pytest.mark.parametrize(
    "uuid", ["4ec2e191-9099-7caf-fd21-012345abcdef", "45e1ec2a-dcd1-b213-94ed"]
)
def test_ec2_elsewhere_in_a_uuid_says_nothing(uuid: str) -> None:
    assert judge(Facts("Xen", product_uuid=uuid)).verdict == "unclear"


@pytest.mark.parametrize("tag", ["i-0123456789abcdef0", "i-12345678"])
def test_nitro_tells_the_instance_id_without_a_request(tag: str) -> None:
    assert judge(Facts("Amazon EC2", board_asset_tag=tag)).instance_id == tag


@pytest.mark.parametrize("tag", ["Not Specified", "i-XYZ", "i-1234567", "xi-0123456789abcdef0", ""])
def test_another_asset_tag_is_no_instance_id(tag: str) -> None:
    assert judge(Facts("Amazon EC2", board_asset_tag=tag)).instance_id is None


def test_facts_are_read_below_root(tmp_path: Path) -> None:
    dmi = tmp_path / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_text("Amazon EC2\n")
    (dmi / "product_uuid").write_text("EC2E1916-9099-7CAF-FD21-012345ABCDEF\n")
    (dmi / "board_asset_tag").write_text("i-0123456789abcdef0\n")
    expected = Machine("yes", "i-0123456789abcdef0", "ec2e1916-9099-7caf-fd21-012345abcdef")
    assert detect(tmp_path) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sys/hypervisor/uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n"),
        ("sys/class/dmi/id/bios_version", "4.11.amazon\n"),
    ],
)
def test_a_xen_instance_is_known_by_one_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    assert detect(tmp_path).verdict == "yes"


def test_without_firmware_files_nothing_is_clear(tmp_path: Path) -> None:
    assert detect(tmp_path) == Machine("unclear")


def test_bytes_that_are_no_text_are_read_all_the_same(tmp_path: Path) -> None:
    dmi = tmp_path / "sys/class/dmi/id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_bytes(b"\xff\xfe Corp")
    (dmi / "board_asset_tag").mkdir()
    assert detect(tmp_path) == Machine("no")
