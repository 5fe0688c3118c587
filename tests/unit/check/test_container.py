from __future__ import annotations

import pytest

from unit.check.judging import GOOD, changed, found, judged

IMAGE = "example/rancheros-ec2-metadata:1.0.0"
CONF = "        - /var/lib/rancher/conf:/var/lib/rancher/conf\n"


@pytest.mark.parametrize(
    "image",
    [
        "example/rancheros-ec2-metadata",
        "example/rancheros-ec2-metadata:latest",
        "localhost:5000/rancheros-ec2-metadata",
    ],
)
def test_an_image_without_a_version_is_found(image: str) -> None:
    assert found(changed(IMAGE, image)) == [("image", f"image: {image}")]
    said = "the version latest" if image.endswith("latest") else "no version"
    assert said in judged(changed(IMAGE, image))[0].reason


@pytest.mark.parametrize("image", [f"localhost:5000/{IMAGE}", f"mine@sha256:{'0' * 64}"])
def test_an_image_with_a_version_or_a_digest_is_not_found(image: str) -> None:
    assert found(changed(IMAGE, image)) == []


def test_a_service_without_an_image_is_found() -> None:
    (finding,) = judged(changed(f"      image: {IMAGE}\n", ""))
    assert (finding.rule, "there is nothing to run" in finding.reason) == ("image", True)


def test_a_service_is_ours_by_its_image_too() -> None:
    text = changed("    ec2-metadata:\n", "    tags:\n").replace("net: host", "net: bridge")
    assert found(text) == [("net", "net: bridge")]
    assert found(text.replace("rancheros-ec2-metadata", "other")) == []


def test_a_service_off_the_hosts_network_is_found() -> None:
    assert found(changed("      net: host\n", "")) == [("net", "ec2-metadata:")]


@pytest.mark.parametrize(("value", "count"), [("true", 1), ("yes", 1), ("false", 0)])
def test_a_privileged_service_is_found(value: str, count: int) -> None:
    line = f"privileged: {value}"
    text = changed("net: host", f"net: host\n      {line}")
    assert found(text) == [("privileged", line)] * count


@pytest.mark.parametrize(
    ("mount", "said", "mend"),
    [
        (
            CONF,
            "nothing that is written outlasts",
            "add /var/lib/rancher/conf:/var/lib/rancher",
        ),
        ("        - /usr/share/ros:/usr/share/ros:ro\n", "release", "add /usr/share/ros:"),
        ("        - /usr/bin/ros:/usr/bin/ros:ro\n", "read back", "/usr/bin/ros:ro"),
        ("        - /etc/docker:/etc/docker:ro\n", "daemon.json", "/etc/docker:ro"),
    ],
)
def test_a_mount_that_is_missing_is_found_with_what_comes_of_it(
    mount: str, said: str, mend: str
) -> None:
    (finding,) = judged(changed(mount, ""))
    assert finding.rule == "mounts"
    assert said in finding.reason
    assert mend in finding.mend


def test_without_any_mount_each_is_found() -> None:
    text = GOOD[: GOOD.index("      volumes:")]
    assert found(text) == [("mounts", "ec2-metadata:")] * 4


@pytest.mark.parametrize(
    "mount",
    [
        "/var/lib/rancher:/var/lib/rancher",
        "/:/",
        "/var/lib/rancher/conf/:/var/lib/rancher/conf:rw",
        # The deepest mount is the one that is seen.
        "/other:/var/lib\n        - /var/lib/rancher/conf:/var/lib/rancher/conf",
    ],
)
def test_a_mount_may_hold_more(mount: str) -> None:
    assert found(changed(CONF, f"        - {mount}\n")) == []


@pytest.mark.parametrize(
    "mount",
    [
        "/mine:/var/lib/rancher/conf",
        "/var/lib/rancher/conf",
        "conf:/var/lib/rancher/conf",
        "/var/lib/rancher/conf:/var/lib/rancher/conf\n        - /mine:/var/lib/rancher/conf",
        "/var/lib:/var/lib\n        - /mine:/var/lib/rancher",
        "':::'",
    ],
)
def test_a_mount_of_something_else_is_none(mount: str) -> None:
    assert [rule for rule, _ in found(changed(CONF, f"        - {mount}\n"))] == ["mounts"]


def test_the_folder_of_the_env_file_has_to_be_mounted_too() -> None:
    def with_file(path: str) -> str:
        return changed("command: [-m, ", f"command: [--env-file, {path}, -m, ")

    assert found(with_file("/var/lib/rancher/conf/ec2.env")) == []
    (finding,) = judged(with_file("/opt/app/ec2.env"))
    assert "the file of --env-file does not outlast" in finding.reason
    assert finding.mend == "add /opt/app:/opt/app"
    mounted = changed(CONF, f"{CONF}        - /opt:/opt\n", with_file("/opt/app/ec2.env"))
    assert found(mounted) == []
    assert [rule for rule, _ in found(changed("- /opt:/opt", "- /opt:/opt:ro", mounted))] == [
        "mounts"
    ]


def test_a_read_only_mount_of_what_is_written_is_found() -> None:
    (finding,) = judged(changed(CONF, CONF.replace("\n", ":z,ro\n")))
    assert "nothing can be written" in finding.reason


@pytest.mark.parametrize(
    ("others", "count"),
    [
        (["all-volumes"], 0),
        (["system-volumes", "command-volumes:ro"], 0),
        (["system-volumes"], 1),
        (["command-volumes"], 3),
        (["somebody-elses"], 0),
    ],
)
def test_volumes_of_other_containers_count(others: list[str], count: int) -> None:
    text = GOOD[: GOOD.index("      volumes:")] + "      volumes_from:\n"
    text += "".join(f"      - {name}\n" for name in others)
    assert [rule for rule, _ in found(text)] == ["mounts"] * count


def test_below_another_root_the_mounts_are_there() -> None:
    at_host = changed("command: [-m, ", "command: [--root, /host, -m, ")
    # There it uses no ros that it is not told of.
    assert [rule for rule, _ in found(at_host)] == ["mounts"] * 3
    text = at_host[: at_host.index("      volumes:")] + "      volumes: ['/:/host']\n"
    assert found(text) == []
    (finding, *_) = judged(at_host)
    assert finding.mend == "add /var/lib/rancher/conf:/host/var/lib/rancher/conf"


ROS = "/usr/bin/ros:/usr/bin/ros:ro"


def test_ros_may_be_in_either_of_its_places() -> None:
    assert found(changed(ROS, "/usr/bin/ros:/bin/ros:ro")) == []
    assert [rule for rule, _ in found(changed(ROS, "/usr/bin/ros:/ros:ro"))] == ["mounts"]


@pytest.mark.parametrize("where", ["--ros, /ros, ", "--ros, none, "])
def test_ros_is_where_the_command_says(where: str) -> None:
    text = changed("command: [-m, ", f"command: [{where}-m, ")
    assert found(changed(ROS, "/usr/bin/ros:/ros:ro", text)) == []
    elsewhere = [rule for rule, _ in found(text)]
    assert elsewhere == ([] if "none" in where else ["mounts"])
