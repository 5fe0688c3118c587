"""Whole convergences on a RancherOS machine, through the stand-in for ``ros``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from failures import in_process
from failures.in_process import Booted, GivenEc2, found
from machine import MachineDisk
from rancheros_ec2_metadata.errors import ExitStatus
from rancheros_ec2_metadata.hosts.rancheros import paths
from rancheros_ec2_metadata.hosts.rancheros.ros import Printed, Ros
from rancheros_ec2_metadata.settings import Settings, TagMapping
from ros_stand_in.in_effect import docker_arguments

WEB = "--label=docker.role=web"
INIT = "EXTRA_CMDLINE: /init\nrancher:\n  environment:\n    EXTRA_CMDLINE: /init\n"
NULL = "#cloud-config\nrancher:\nwrite_files:\n  - path: /etc/example\n    content: x\n"
OEM = "rancher:\n  docker:\n    extra_args: [--data-root=/mnt/docker]\n"
GRAPH = "rancher:\n  docker: {graph: /mnt/docker}\n"
RELEASES = ("v0.4.5", "v0.6.1", "v0.7.1", "v0.9.2", "v1.0.4", "v1.5.8", "burmilla-master")
SHELL = RELEASES[1:]
NEW = RELEASES[3:]


class Lab:
    """One machine, and runs on it."""

    def __init__(self, root: Path, release: str, files: dict[str, str]) -> None:
        self.root, self.release = root, release
        self.disk = MachineDisk(root, release)
        for name, text in files.items():
            where = {"oem": paths.OEM_CONFIG, "cmdline": paths.COMMAND_LINE}
            where |= {"daemon.json": paths.DAEMON_JSON}
            self.disk.write(where.get(name, f"{paths.CONF}/{name}"), text)

    def run(
        self, tags: dict[str, str] | None = None, settings: Settings | None = None, **given: Any
    ) -> Booted:
        said = found({"docker.role": "web"} if tags is None else tags)
        ros = given.pop("ros", None) or in_process.stand_in(self.root, self.release)
        return in_process.run(self.root, GivenEc2(said), settings=settings, ros=ros, **given)

    def lists(self) -> dict[str, list[str]]:
        docker: dict[str, list[str]] = self.disk.drop_in().get("rancher", {}).get("docker", {})
        return docker

    def read(self, name: str) -> bytes:
        return self.disk.path(f"{paths.CONF}/{name}").read_bytes()


def boot(text: str) -> dict[str, str]:
    return {"cloud-config.d/boot.yml": text}


@pytest.fixture
def make(tmp_path: Path) -> Any:
    return lambda release="v1.5.8", **files: Lab(tmp_path, release, files)


LABELLED = [
    ("nothing of the user's", {}, [WEB]),
    ("user-data", boot("rancher: {docker: {extra_args: [--debug]}}"), ["--debug", WEB]),
    (
        "a label of the user's that the tag replaces",
        boot("rancher: {docker: {extra_args: [--label, docker.role=db, --label=a=b, -D]}}"),
        ["--label=a=b", "-D", WEB],
    ),
    (
        "spelt in another way",
        boot("""rancher: {docker: {extra_args: ["--label 'docker.role=db' --ipv6"]}}"""),
        ["--ipv6", WEB],
    ),
    (
        "one of several words of an item",
        boot("""rancher: {docker: {extra_args: ['-D  --label "docker.role=db"  --bip "a b"']}}"""),
        ['-D --bip "a b"', WEB],
    ),
    ("the OEM's, and nothing above", {"oem": OEM}, ["--data-root=/mnt/docker", WEB]),
    (
        "a wrongly typed file is lost whole",
        boot("rancher: {ssh: {port: many}, docker: {extra_args: [--debug]}}"),
        [WEB],
    ),
    (
        "what expands is left as it is",
        boot("rancher: {docker: {extra_args: ['--label=host=$(hostname)']}}"),
        ["--label=host=$(hostname)", WEB],
    ),
]


@pytest.mark.parametrize("release", SHELL)
@pytest.mark.parametrize(("name", "files", "items"), LABELLED)
def test_labels_are_put_behind_the_users_own_arguments(
    tmp_path: Path, release: str, name: str, files: dict[str, str], items: list[str]
) -> None:
    lab = Lab(tmp_path, release, files)
    booted = lab.run()
    assert (booted.status, booted.outcome, booted.rounds) == (0, "complete", 2), name
    target = "args" if release == "v0.6.1" else "extra_args"
    ours = lab.lists()[target]
    assert ours[-len(items) :] == items if target == "extra_args" else ours[-1:] == [WEB]
    there = lab.disk.snapshot()
    again = lab.run()
    assert (again.status, again.rounds, dict(again.changed)) == (0, 1, {})
    assert lab.disk.snapshot() == there
    in_process.clean(tmp_path)
    assert not lab.disk.path(paths.DROP_IN).exists()
    assert not lab.disk.path(paths.STATE).exists()


ADDRESSED = """\
#cloud-config
rancher:
  docker:
    extra_args:
    - --dns=$private_ipv4
    - '--label="ip=$public_ipv4"'
    - "--x=\\u0024private_ipv4"
    - --y=a
"""


@pytest.mark.parametrize("release", SHELL[1:])
def test_an_address_of_the_users_arguments_is_filled_in_anew_at_each_boot(
    tmp_path: Path, release: str
) -> None:
    # Files that are not read, and would be stronger.
    lost = "hostname: [a]\nrancher: {docker: {extra_args: [--dns=$private_ipv4]}}"
    more = {"cloud-config.d/x.yml": "a: [$private_ipv4\n", "cloud-config.d/y.yml": lost}
    lab = Lab(tmp_path, release, boot(ADDRESSED) | more)
    metadata = f"{paths.CONF}/metadata"
    lab.disk.write(metadata, "privateipv4: [10, 0, 0, 12]\n")
    assert lab.run().status == 0
    written = lab.lists()["extra_args"]
    assert written[:2] == ["--dns=$private_ipv4", '--label="ip=$public_ipv4"']
    assert b'"--x=\\u0024private_ipv4"' in lab.read("cloud-config.d/zz-ec2-metadata.yml")
    # Also where this program is not run again.
    lab.disk.write(metadata, "privateipv4: [10, 0, 0, 99]\npublicipv4: [192, 0, 2, 1]\n")
    assert docker_arguments(lab.disk.read(), release) == [
        *("--dns=10.0.0.99", '--label="ip=192.0.2.1"', "--x=$private_ipv4", "--y=a", WEB)
    ]
    again = lab.run()
    assert (again.status, dict(again.changed)) == (0, {})


@pytest.mark.parametrize("release", NEW)
def test_a_null_in_user_data_takes_nothing_of_the_oems(tmp_path: Path, release: str) -> None:
    files = boot(NULL) | {"cloud-config.d/init.yml": INIT, "oem": OEM}
    lab = Lab(tmp_path, release, files)
    assert lab.run().status == 0
    assert lab.lists() == {"extra_args": ["--data-root=/mnt/docker", WEB]}


@pytest.mark.parametrize("release", ["v0.4.5", "v0.6.1"])
def test_before_v0_7_empty_args_become_the_systems_again(tmp_path: Path, release: str) -> None:
    lab = Lab(tmp_path, release, boot(NULL))
    booted = lab.run()
    assert (booted.status, booted.outcome) == (0, "complete")
    assert lab.lists() == {"extra_args": [WEB]}


REFUSED = [
    (
        boot("rancher:\n  docker:\n") | {"oem": GRAPH, "cloud-config.d/init.yml": INIT},
        "boot.yml has the empty key rancher.docker: with ours there it would no longer hide",
        RELEASES,
    ),
    (
        {"cloud-config.yml": "rancher:\n  docker:\n", "oem": OEM},
        "rancher.docker.extra_args is overridden by cloud-config.yml",
        SHELL[1:],
    ),
    (
        {"cmdline": "x rancher.docker.extra_args=[--ipv6]"},
        "rancher.docker.extra_args is overridden by the kernel command line",
        NEW,
    ),
    (
        {"cloud-config.d/zzz.yml": "rancher: {docker: {extra_args: [-D]}}"},
        "overridden by cloud-config.d/zzz.yml",
        SHELL[1:],
    ),
    (
        boot("EXTRA_CMDLINE: 'x rancher.docker.extra_args=[-D]'"),
        "overridden by EXTRA_CMDLINE in cloud-config.d/boot.yml",
        NEW,
    ),
    (
        {"cloud-config.yml": "rancher: {docker: {extra_args: &a [-D]}}\nx: *a\n"},
        "cloud-config.yml, which cannot be edited",
        NEW,
    ),
    (
        {"cloud-config.yml": "rancher: {docker: {extra_args: [-D], extra_args: [-l, info]}}"},
        "overridden by cloud-config.yml",
        NEW,
    ),
    (boot("rancher: {docker: {extra_args: ['a; b']}}"), "item '…' of rancher", NEW),
    ({"daemon.json": '{"labels": []}'}, "/etc/docker/daemon.json has 'labels'", NEW),
]


@pytest.mark.parametrize(
    ("files", "words", "release"),
    [(files, words, release) for files, words, releases in REFUSED for release in releases],
)
def test_a_list_that_ros_would_read_otherwise_is_refused_by_name(
    tmp_path: Path, files: dict[str, str], words: str, release: str
) -> None:
    lab = Lab(tmp_path, release, files)
    before = lab.disk.snapshot()
    booted = lab.run()
    assert booted.status == ExitStatus.FILES
    assert booted.outcome == "partial"
    assert "no label is set" in booted.log
    assert words in booted.log
    assert lab.lists() == {}
    assert lab.disk.variables()["EC2_METADATA_STATUS"] == "partial"
    in_process.clean(tmp_path)
    assert lab.disk.snapshot() == before


def test_where_a_variable_alone_would_undo_a_null_nothing_is_set(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "v1.5.8", boot(NULL))
    booted = lab.run()
    assert (booted.status, booted.outcome) == (ExitStatus.FILES, "none")
    assert "boot.yml has the empty key rancher: with ours there" in booted.log
    assert not lab.disk.path(paths.DROP_IN).exists()


CLOUD_CONFIG = """\
# mine
rancher:
  docker:
    extra_args:  # a note: with a colon
      - --debug   # why
      - '--label=docker.role=db'
      - "--dns=$private_ipv4"
    tls: false
"""


@pytest.mark.parametrize("release", NEW)
def test_a_list_in_cloud_config_yml_is_changed_there_and_restored(
    tmp_path: Path, release: str
) -> None:
    lab = Lab(tmp_path, release, {"cloud-config.yml": CLOUD_CONFIG})
    lab.disk.write(f"{paths.CONF}/metadata", "privateipv4: [10, 0, 0, 12]\n")
    assert lab.run().status == 0
    text = lab.read("cloud-config.yml").decode()
    assert f"""extra_args: ['--debug', '--dns=$private_ipv4', '{WEB}']\n    tls""" in text
    assert lab.lists() == {}
    for tags in ({"docker.role": "db"}, {"docker.zone": "a"}, {"docker.zone": "b"}):
        assert lab.run(tags).status == 0
    assert "'--label=docker.role=db'" in lab.read("cloud-config.yml").decode()
    assert lab.run({}).status == 0
    assert lab.read("cloud-config.yml").decode() == CLOUD_CONFIG
    lab.run()
    in_process.clean(tmp_path)
    assert lab.read("cloud-config.yml").decode() == CLOUD_CONFIG


def test_an_item_of_ours_that_cannot_be_taken_out_is_named(make: Any) -> None:
    lab = make(**{"cloud-config.yml": CLOUD_CONFIG})
    lab.run()
    lab.disk.cloud_config("rancher: {docker: {extra_args: [['--label=docker.role=web']]}}\n")
    for log in (lab.run().log, in_process.clean(lab.root)):
        assert "items of an earlier run stay in cloud-config.yml" in log
    lab.disk.cloud_config(f"rancher: {{docker: {{extra_args: ['{WEB}']}}}}\n")
    in_process.clean(lab.root)
    assert WEB not in lab.read("cloud-config.yml").decode()


def test_while_an_item_of_ours_cannot_be_taken_out_the_variables_are_asked_for_all_the_same(
    make: Any,
) -> None:
    lab = make(**{"cloud-config.yml": CLOUD_CONFIG})
    lab.run()
    left = f"docker: {{extra_args: ['{WEB}']}}, environment: {{DB_HOST: mine}}"
    lab.disk.cloud_config(f"rancher: {{{left}}}\n---\na: b\n")
    settings = Settings(root=lab.root, mappings=MAPPED.mappings)
    for label in ({"docker.role": "web"}, {}):
        booted = lab.run({"db": "theirs", **label}, settings)
        assert booted.status == 5
        assert "items of an earlier run stay in cloud-config.yml" in booted.log
        assert "variable DB_HOST is overridden by a stronger file" in booted.log


MAPPED = Settings(mappings=(TagMapping.parse("db:DB_HOST"), TagMapping.parse("h:hostname")))


@pytest.mark.parametrize(
    ("files", "stronger"),
    [
        (
            {"cloud-config.yml": "hostname: mine\nrancher: {environment: {DB_HOST: mine}}\n"},
            "cloud-config.yml",
        ),
        (
            {"cmdline": "rancher.environment.DB_HOST=mine cc.hostname=mine"},
            "the kernel command line",
        ),
    ],
)
def test_a_variable_that_a_stronger_layer_sets_stays_the_users_and_is_named(
    make: Any, files: dict[str, str], stronger: str
) -> None:
    lab = make(**files)
    settings = Settings(root=lab.root, mappings=MAPPED.mappings)
    for _ in range(2):
        booted = lab.run({"db": "theirs", "h": "web-1", "docker.role": "web"}, settings)
        assert booted.status == 0
        assert f"variable DB_HOST is overridden by {stronger}" in booted.log
        assert "sudo ros config set rancher.environment.DB_HOST VALUE" in booted.log
        assert f"hostname is overridden by {stronger}" in booted.log
        assert WEB in lab.lists()["extra_args"]


def test_an_empty_variable_that_a_null_hides_is_named(make: Any) -> None:
    lab = make(**{"cloud-config.yml": "rancher:\n  environment:\n"})
    booted = lab.run({"db": ""}, Settings(root=lab.root, mappings=MAPPED.mappings))
    assert "variable DB_HOST is overridden by cloud-config.yml" in booted.log


def test_a_config_path_is_set_and_named_with_when_it_takes_effect(make: Any) -> None:
    lab = make()
    mappings = ("h:hostname", "port:rancher.ssh.port", "dns:rancher.network.dns.nameservers")
    settings = Settings(root=lab.root, mappings=tuple(map(TagMapping.parse, mappings)))
    booted = lab.run({"h": "web-1", "port": "2222", "dns": "10.0.0.2,10.0.0.3"}, settings)
    assert booted.status == 0
    tree = lab.disk.drop_in()
    assert tree["hostname"] == "web-1"
    assert tree["rancher"]["network"]["dns"]["nameservers"] == ["10.0.0.2", "10.0.0.3"]
    assert "in effect from the next boot on" in booted.log


def test_labels_that_change_and_go_are_named(make: Any) -> None:
    lab = make()
    lab.run({"docker.role": "web", "docker.zone": "a"})
    assert "labels changed: 'docker.role'; Docker takes them" in lab.run({"docker.role": "db"}).log
    gone = lab.run({})
    assert "labels removed: 'docker.role'; Docker keeps them until it restarts" in gone.log


def test_without_labels_a_ros_that_does_not_answer_costs_nothing_but_a_warning(make: Any) -> None:
    lab = make()
    asked: list[int] = []

    def run(commands: Any, _: float) -> list[Printed]:
        asked.append(len(commands))
        return [Printed(None, b"") for _ in commands]

    booted = lab.run({"Name": "x"}, ros=Ros("ros", run))
    assert (booted.status, booted.outcome, asked) == (0, "complete", [4])
    assert "what is written was not rehearsed" in booted.log
    refused = lab.run(ros=Ros("ros", run))
    assert (refused.status, refused.outcome, asked) == (ExitStatus.FILES, "partial", [4, 4])


def test_a_release_that_is_not_known_gets_no_label(tmp_path: Path) -> None:
    disk = MachineDisk(tmp_path, None)
    ros = in_process.stand_in(tmp_path, "v1.5.8")
    booted = in_process.run(tmp_path, GivenEc2(found({"docker.role": "web"})), ros=ros)
    assert booted.status == ExitStatus.FILES
    assert "the release is not known" in booted.log
    assert disk.variables()["EC2_METADATA_STATUS"] == "partial"


def test_what_amazon_metadata_left_is_named_and_removed_by_clean_legacy(make: Any) -> None:
    text = (
        "rancher:\n  environment:\n    AWS_INSTANCE_ID: i-old\n    MINE: x\n"
        "    AWS_SECRET_ACCESS_KEY: secret\n  docker:\n    args: [daemon, --label, docker.role=x]\n"
    )
    lab = make(**{"cloud-config.yml": text})
    booted = lab.run()
    assert "'AWS_SECRET_ACCESS_KEY'; 'clean --legacy' removes them" in booted.log
    in_process.clean(lab.root)
    assert lab.read("cloud-config.yml").decode() == text
    log = in_process.clean(lab.root, legacy=True)
    left = lab.read("cloud-config.yml").decode()
    assert left == "rancher:\n  environment:\n    MINE: x\n  docker:\n    args: ['daemon']\n"
    assert "secret" not in log
