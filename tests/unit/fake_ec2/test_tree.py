from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.fake_ec2.data import FakeInstance
from rancheros_ec2_metadata.fake_ec2.tree import make_tree

FULL = FakeInstance(
    public_ipv4="52.1.2.3",
    ipv6="2001:db8::1",
    security_groups=("default", "web"),
    role="docker-node",
    autoscaling_group="web",
    tags={"docker.role": "web"},
    user_data="#cloud-config",
)


def listed(tree: Mapping[str, str], folder: str = "") -> Iterator[str]:
    """Yield the leaves that a client finds by following the lists from the top."""
    for name in tree[folder].split("\n"):
        # The topmost list has no slashes.
        is_folder = name.endswith("/") or (folder == "" and f"{name}/" in tree)
        if is_folder:
            yield from listed(tree, f"{folder}{name.removesuffix('/')}/")
        elif name:
            yield folder + name


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\n"), min_size=1)


@given(
    st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.text()),
    st.dictionaries(st.text(), st.text()),
)
def test_following_the_lists_finds_each_leaf_once_and_nothing_else(
    extra: dict[str, str], tags: dict[str, str]
) -> None:
    tree = make_tree(FakeInstance(extra=extra, tags=tags), 0)

    found = list(listed(tree))

    assert sorted(found) == sorted(path for path in tree if path and not path.endswith("/"))


def test_the_identity_document_has_all_of_its_fields() -> None:
    started_now = replace(FULL, pending_time="now")
    tree = make_tree(started_now, 1_770_000_000.9)
    assert json.loads(tree["dynamic/instance-identity/document"]) == {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": "eu-west-1a",
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": "ami-0abcdef1234567890",
        "instanceId": "i-0123456789abcdef0",
        "instanceType": "m5.large",
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": "2026-02-02T02:40:00Z",
        "privateIp": "10.0.0.12",
        "ramdiskId": None,
        "region": "eu-west-1",
        "version": "2017-09-30",
    }


IPV6_ONLY = FakeInstance(local_ipv4=None, ipv6="2001:db8::1")
OLDEST_REGION = FakeInstance(region="us-east-1", public_ipv4="52.1.2.3")
TAGS = "meta-data/tags/instance/"
EXTRA = FakeInstance(public_ipv4="52.1.2.3", extra={"public-hostname": "", "dynamic/fws/x": "1"})


@pytest.mark.parametrize(
    ("instance", "path", "text"),
    [
        (FULL, "", "dynamic\nmeta-data\nuser-data"),
        (FakeInstance(), "", "dynamic\nmeta-data"),
        # What tests/unit/commands/test_target.py does not compare with DescribeInstances.
        (FULL, "meta-data/ami-manifest-path", "(unknown)"),
        (FULL, "meta-data/autoscaling/target-lifecycle-state", "InService"),
        (FULL, "meta-data/instance-action", "none"),
        (FULL, "meta-data/instance-life-cycle", "on-demand"),
        (FULL, "meta-data/placement/availability-zone-id", "euw1-az1"),
        (FULL, "meta-data/profile", "default-hvm"),
        (FULL, "meta-data/security-groups", "default\nweb"),
        (FULL, "meta-data/services/domain", "amazonaws.com"),
        (FULL, "meta-data/services/partition", "aws"),
        (FULL, f"{TAGS}docker.role", "web"),
        (FULL, f"{TAGS}aws:autoscaling:groupName", "web"),
        (FULL, TAGS, "aws:autoscaling:groupName\ndocker.role"),
        (FULL, "meta-data/iam/security-credentials/", "docker-node"),
        (FULL, "meta-data/network/interfaces/macs/", "02:29:96:8f:6a:2d/"),
        *[
            (FakeInstance(), f"meta-data/{path}", None)
            for path in ("autoscaling/", "iam/", "ipv6", "public-hostname", "public-ipv4")
        ],
        (IPV6_ONLY, "meta-data/hostname", "i-0123456789abcdef0.eu-west-1.compute.internal"),
        (IPV6_ONLY, "meta-data/local-ipv4", None),
        # Names in the oldest region are without the region.
        (OLDEST_REGION, "meta-data/local-hostname", "ip-10-0-0-12.ec2.internal"),
        (OLDEST_REGION, "meta-data/public-hostname", "ec2-52-1-2-3.compute-1.amazonaws.com"),
        (OLDEST_REGION, "meta-data/placement/availability-zone", "us-east-1a"),
        # A tag that IMDS cannot show is left out.
        *[
            (FakeInstance(tags={key: "x", "role": "web"}), TAGS, "role")
            for key in (".", "..", "_index", "", "a b", "a/b", "\u00e9", "a" * 256)
        ],
        *[
            (FakeInstance(tags={key: "x"}), TAGS, key)
            for key in ("a" * 255, "-_+=,.@:", "...", "aws:x")
        ],
        (FakeInstance(), "meta-data/tags/", "instance/"),
        (FakeInstance(), TAGS, ""),
        (FakeInstance(tags={"role": "web"}, tags_in_metadata=False), "meta-data/tags/", None),
        (FakeInstance(tags={"role": "web"}, tags_in_metadata=False), TAGS, None),
        (EXTRA, "meta-data/public-hostname", ""),
        (EXTRA, "dynamic/", "fws/\ninstance-identity/"),
    ],
)
def test_what_an_instance_has_and_has_not_is_there_and_not(
    instance: FakeInstance, path: str, text: str | None
) -> None:
    assert make_tree(instance, 0).get(path) == text


def test_json_has_what_is_not_in_the_paths() -> None:
    tree = make_tree(FULL, 0)
    info = json.loads(tree["meta-data/iam/info"])
    assert info["InstanceProfileArn"].endswith(":instance-profile/docker-node-profile")
    assert "Expiration" in json.loads(tree["meta-data/iam/security-credentials/docker-node"])
    document = json.loads(make_tree(IPV6_ONLY, 0)["dynamic/instance-identity/document"])
    assert document["privateIp"] == "2001:db8::1"


def test_extra_null_removes_a_path_and_all_below_it_but_not_its_namesakes() -> None:
    extra = dict.fromkeys(["iam", "tags", "ami-id", "placement/region", "instance"])
    tree = make_tree(FakeInstance(role="r", extra=extra), 0)

    assert not [path for path in tree if path.startswith(("meta-data/iam", "meta-data/tags"))]
    assert "meta-data/ami-id" not in tree
    assert tree["meta-data/placement/"] == "availability-zone\navailability-zone-id"
    assert {"iam/", "tags/", "ami-id"}.isdisjoint(tree["meta-data/"].split("\n"))
    assert "meta-data/instance-id" in tree
