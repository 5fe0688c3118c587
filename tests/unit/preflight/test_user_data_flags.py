"""What user-data says of this program, whatever it is packed in."""

from __future__ import annotations

import base64
import gzip
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.definitions import cloud_configs
from docs.pages import ROOT
from rancheros_ec2_metadata.preflight.user_data_flags import read_flags
from rancheros_ec2_metadata.settings import HostKind, Settings, TagMapping

WORDS = ("-t", "docker.", "--require-tag", "docker.role", "--follow", "60")
SETTINGS = Settings(require_tags=("docker.role",))
LINE = f"python3 /root/ec2-docker-labels.pyz install {' '.join(WORDS)}"
SCRIPT = f"#!/bin/sh\nset -eu\n# ec2-docker-labels install -t never.\n{LINE}\nreboot\n"
CLOUD_CONFIG = f"#cloud-config\nruncmd:\n  - {LINE}\n"


def mime(*parts: tuple[str, str]) -> bytes:
    message = MIMEMultipart(boundary="part")
    for kind, text in parts:
        message.attach(MIMEText(text, kind))
    return message.as_bytes()


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        (SCRIPT.encode(), "text/x-shellscript"),
        (gzip.compress(SCRIPT.encode()), "gzip of text/x-shellscript"),
        (base64.b64encode(SCRIPT.encode()), "base64 of text/x-shellscript"),
        (
            base64.b64encode(gzip.compress(SCRIPT.encode())),
            "base64 of gzip of text/x-shellscript",
        ),
        (
            mime(("cloud-config", "#cloud-config\npackages: [docker.io]\n"), ("plain", SCRIPT)),
            "MIME multipart of text/cloud-config, text/x-shellscript",
        ),
        (
            gzip.compress(mime(("x-shellscript", SCRIPT))),
            "gzip of MIME multipart of text/x-shellscript",
        ),
        (CLOUD_CONFIG.encode(), "text/cloud-config"),
        (
            f"#cloud-config\nruncmd: [[ec2-docker-labels, install, {', '.join(WORDS)}]]".encode(),
            "text/cloud-config",
        ),
        (
            b"#cloud-config\nwrite_files:\n- path: /root/x\n  content: |\n"
            + "".join(f"    {line}\n" for line in SCRIPT.splitlines()).encode(),
            "text/cloud-config",
        ),
    ],
)
def test_the_install_line_is_found_in_whatever_cloud_init_reads(raw: bytes, form: str) -> None:
    found = read_flags(raw, "auto")
    assert (found.host, found.form, found.wrong) == ("systemd", form, "")
    assert found.words == WORDS
    assert (found.follow, found.settings) == (60, SETTINGS)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ec2-docker-labels install", ()),
        ("/usr/local/bin/ec2-docker-labels install && reboot", ()),
        ("if ec2-docker-labels install --follow 60; then reboot; fi", ("--follow", "60")),
        ("ec2-docker-labels install --follow 60 >/dev/null 2>&1 || true", ("--follow", "60")),
        ("ec2-docker-labels install --follow 60 2>/dev/null", ("--follow", "60")),
        (
            "ec2-docker-labels install \\\n    --follow 60 \\\n  -l 'a b:C'",
            ("--follow", "60", "-l", "a b:C"),
        ),
        ("python3.11 -m rancheros_ec2_metadata install -t ''", ("-t", "")),
        ("rancheros-ec2-metadata install # -t no.", ()),
        (
            "S=x AWS_METADATA_TAG_PREFIXES='a.;b.' python3 /x/ec2-docker-labels-1.pyz install -m",
            ("-m", "AWS_METADATA_TAG_PREFIXES=a.;b."),
        ),
        # Done again, it changes what differs.
        ("ec2-docker-labels install -t a.\nec2-docker-labels install -t b.", ("-t", "b.")),
    ],
)
def test_the_words_of_the_line_are_those_that_a_shell_would_pass(
    line: str, words: tuple[str, ...]
) -> None:
    found = read_flags(f"#!/bin/bash\n{line}\n".encode(), "auto")
    assert (found.words, found.wrong) == (words, "")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ec2-docker-labels install --nonsense", "no flag '--nonsense'"),
        ("ec2-docker-labels install -l role:$NAME", "only the shell knows what 'role:$NAME' is"),
        ("ec2-docker-labels install -l `role`:NAME", "only the shell knows"),
        ("ec2-docker-labels install -l 'role:NAME", "a quote in it is open"),
        ("ec2-docker-labels install --help", "--help and --version set no label"),
        ("ec2-docker-labels install -mh", "--help and --version set no label"),
        ("AWS_METADATA_TAGS=x ec2-docker-labels install", "AWS_METADATA_TAGS: 'x'"),
    ],
)
def test_a_line_that_installs_something_else_is_wrong(line: str, why: str) -> None:
    found = read_flags(f"#!/bin/sh\n{line}\n".encode(), "auto")
    assert why in found.wrong
    assert (found.settings, found.source) == (None, "the install line of the user-data")


@pytest.mark.parametrize(
    ("raw", "host", "expected"),
    [
        (None, "auto", "rancheros"),
        (None, "systemd", "systemd"),
        (b"#cloud-config\nrancher: {}\n", "auto", "rancheros"),
        (b"#compose\nx: {image: y}\n", "auto", "rancheros"),
        (b"#!/bin/sh\nros config set a b\n", "auto", "rancheros"),
        (b"#!/bin/sh\necho across config\n", "auto", "systemd"),
        (mime(("cloud-config", "#cloud-config\nrancher: {}\n")), "auto", "rancheros"),
        (b"#cloud-config\npackages: [docker.io]\n", "auto", "systemd"),
        (b"#cloud-config\npackages: [docker.io]\n", "rancheros", "rancheros"),
        (b"#cloud-config\nrancher: {}\n", "systemd", "systemd"),
    ],
)
def test_the_host_is_the_one_that_reads_such_user_data(
    raw: bytes | None, host: HostKind, expected: str
) -> None:
    found = read_flags(raw, host)
    assert (found.host, found.settings, found.words) == (expected, None, ())


def test_the_flags_of_the_service_are_those_of_its_command_and_its_variables() -> None:
    (config,) = (one for one in cloud_configs() if one.source.startswith("README.md"))
    found = read_flags(gzip.compress(config.text.encode()), "auto")
    assert (found.host, found.form) == ("rancheros", "gzip of text/cloud-config")
    assert found.source == "the service ec2-metadata of the user-data"
    assert found.settings is not None
    assert TagMapping("example.db.host", "DB_HOST") in found.settings.mappings
    named = config.text.replace(
        "      net: host\n",
        "      environment: {AWS_METADATA_TAGS: api, PASSWORD: secret}\n      net: host\n",
    )
    found = read_flags(named.encode(), "auto")
    assert found.settings is not None
    assert (found.settings.tags, found.words[-1]) == ("api", "AWS_METADATA_TAGS=api")
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("-m -t 'team a.'", ("-m", "-t", "team a.")),
        ("[-m, -t, a.]", ("-m", "-t", "a.")),
        ("it's", ()),
    ],
)
def test_the_words_of_a_command_are_those_that_rancheros_makes_of_it(
    command: str, words: tuple[str, ...]
) -> None:
    text = "#cloud-config\nrancher: {services: {ec2-metadata: {command: " + command + "}}}\n"
    assert read_flags(text.encode(), "auto").words == words


def test_a_cloud_config_that_is_no_yaml_installs_nothing() -> None:
    found = read_flags(f"{CLOUD_CONFIG}  - [\n".encode(), "auto")
    assert (found.host, found.source) == ("systemd", "")


@pytest.mark.parametrize("name", ["amazon-linux-2023", "ubuntu"])
def test_the_flags_of_the_examples_are_found(name: str) -> None:
    script = (ROOT / f"examples/swarm-systemd/{name}.sh").read_bytes()
    assert read_flags(script, "auto").words == WORDS


@given(
    st.binary()
    | st.builds(mime, st.tuples(st.just("plain"), st.text()))
    | st.builds(b"#cloud-config\n%b".__mod__, st.binary())
    | st.builds("#!\nec2-docker-labels install {}".format, st.text()).map(str.encode),
)
def test_bytes_of_any_kind_are_read(raw: bytes) -> None:
    assert read_flags(raw, "auto").form
