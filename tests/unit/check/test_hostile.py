"""Whatever is in a file, it is checked: there is no traceback, and no hang."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.check.checked_file import File
from rancheros_ec2_metadata.check.finding import load_rules
from rancheros_ec2_metadata.check.schema import find_schema
from rancheros_ec2_metadata.commands.check import make_report, render_report
from rancheros_ec2_metadata.hosts.rancheros.release import UNKNOWN, Release, parse_release
from unit.check.checking import GOOD, SERVICE_FILE

RELEASES = [parse_release(name) for name in ("v0.4.5", "v0.6.1", "v1.0.4", "v1.5.8")]
TYPES = find_schema(UNKNOWN).types


def check(raw: bytes, release: Release | None) -> None:
    assert release is not None
    file = File(raw, release)
    report = make_report("a", file)
    for one in report["findings"]:
        assert 1 <= one["line"] <= max(1, len(raw.splitlines()))
        assert one["rule"] in load_rules()
        assert one["reason"]
        assert one["fix"]
    text = list(render_report(report))
    assert sum(line.endswith("]") and line[0] == "a" for line in text) == len(report["findings"])
    assert all(line.isprintable() and len(line) <= 100 for line in text)
    json.dumps(report)


release = st.sampled_from(RELEASES)


@given(st.binary(max_size=300), st.sampled_from([b"", b"#cloud-config\n", b"#!"]), release)
def test_any_bytes(raw: bytes, first: bytes, release: Release) -> None:
    check(first + raw, release)


@given(st.text(alphabet="ab:- \n\t[]{}&*!|>'\"#%@`,?~\\$=é\x85\ufeff", max_size=80), release)
def test_any_yaml(text: str, release: Release) -> None:
    check(f"#cloud-config\n{text}".encode(), release)


WORDS = [
    *("ec2-metadata", "rancher", "services", "environment", "docker", "extra_args", "args"),
    *("labels", "io.rancher.os.after", "cron.schedule", "-m", "-l a:B", "--set", "A={B}", "-t"),
    *("AWS_*", "*", "", "=", "A=", "${AWS_REGION}", "$", "$$", "null", "--label=a=b", "--label"),
    *("/:/", ":::", "apply", "plan", "'", "\n", "\x1b", "é", "€", "true", "/var/lib/rancher/conf"),
    *("--root", "x/ec2-metadata:latest", "write_files", "path", "content", "EXTRA_CMDLINE"),
    *("$private_ipv4", "--label=a=$public_ipv4", "x/os-amazon-metadata", "contents", "~", "[a:b]"),
    *("rancher.docker.extra_args=[a]", "/etc/docker/daemon.json", "b64", "encoding", "runcmd"),
]
leaf = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
key = st.one_of(
    st.sampled_from([*sorted({key for one in TYPES.values() for key in one}), *WORDS]),
    st.text(max_size=5),
)
tree = st.recursive(
    leaf,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(key, inner, max_size=4)),
    max_leaves=12,
)
service = st.dictionaries(st.sampled_from(sorted(TYPES["service"])), tree, max_size=6)
config = st.fixed_dictionaries(
    {},
    optional={
        "rancher": st.fixed_dictionaries(
            {},
            optional={
                "services": st.dictionaries(st.sampled_from(["ec2-metadata", "a", "b"]), service),
                "environment": st.dictionaries(key, leaf, max_size=4) | tree,
                "docker": st.dictionaries(
                    st.sampled_from(["args", "extra_args", "environment", "config_file"]),
                    st.lists(leaf, max_size=4) | tree,
                )
                | tree,
                "services_include": tree,
            },
        )
        | tree,
        "runcmd": tree,
        "write_files": st.lists(st.dictionaries(key, leaf, max_size=4)) | tree,
        "EXTRA_CMDLINE": leaf,
    },
)


@given(config, release)
def test_any_configuration(tree: dict[str, Any], release: Release) -> None:
    check(b"#cloud-config\n" + json.dumps(tree).encode(), release)


@given(st.dictionaries(key, service | tree, max_size=3), release)
def test_any_service_file(tree: dict[str, Any], release: Release) -> None:
    check(json.dumps(tree).encode(), release)


@given(st.sampled_from([GOOD, SERVICE_FILE]), st.data(), release)
def test_a_good_file_with_a_piece_cut_out_or_put_in(
    text: str, data: st.DataObject, release: Release
) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    check((text[:start] + data.draw(st.sampled_from(WORDS)) + text[end:]).encode(), release)


MANY = {
    "keys": "".join(f"k{n}:\n" for n in range(4000)),
    "services": "rancher:\n  services:\n"
    + "".join(f"    ec2-metadata-{n}: {{}}\n" for n in range(800)),
    "labels": "rancher:\n  docker:\n    extra_args:\n"
    + "".join(f"    - --label=a{n}=1\n" for n in range(5000)),
    "prefixes": "rancher:\n  services:\n    ec2-metadata:\n      command:\n"
    + "".join(f"      - -t\n      - 1{n}\n" for n in range(1500)),
    "files": "write_files:\n" + "- path: /a\n" * 10_000,
    "brackets": "[" * 120_000,
    "braces": "{a: " * 30_000,
}


@pytest.mark.parametrize("name", MANY)
def test_very_much_of_a_thing(name: str) -> None:
    check(b"#cloud-config\n" + MANY[name].encode()[: 127 * 1024], RELEASES[-1])
