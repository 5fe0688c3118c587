from __future__ import annotations

import pytest

from machine import release_named
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros import layers as names
from rancheros_ec2_metadata.rancheros.disk import Disk
from rancheros_ec2_metadata.rancheros.layers import Layers, stack
from rancheros_ec2_metadata.rancheros.ros_yaml import Node, Outcome

EXTRA_ARGS = ("rancher", "docker", "extra_args")
A = ("rancher", "environment", "A")


def layered(release: str = "v1.5.8", **files: str) -> Layers:
    return stack(disk_of(**files), release_named(release))


def disk_of(**files: str) -> Disk:
    """Return a disk: ``os``, ``oem``, ``conf``, ``kernel``, any other name is a drop-in's."""
    where = {
        "os": paths.OS_CONFIG,
        "oem": paths.OEM_CONFIG,
        "conf": paths.CLOUD_CONFIG,
        "kernel": paths.COMMAND_LINE,
        "ours": paths.DROP_IN,
    }
    return Disk(
        {where.get(k, f"{paths.CLOUD_CONFIG_D}/{k}.yml"): v.encode() for k, v in files.items()}
    )


def sets(value: str, key: str = "A") -> str:
    return f"rancher: {{environment: {{{key}: {value}}}}}"


def test_layers_go_from_the_image_to_the_command_line() -> None:
    layers = layered(
        kernel="rancher.environment.A=7",
        conf=sets("6") + "\nEXTRA_CMDLINE: rancher.environment.A=8",
        zzz=sets("5"),
        ours=sets("4"),
        boot=sets("3"),
        oem=sets("2"),
        os=sets("1"),
    )
    assert [layer.name for layer in layers] == [
        "os-config.yml",
        "oem-config.yml",
        "cloud-config.d/boot.yml",
        "cloud-config.d/zz-ec2-metadata.yml",
        "cloud-config.d/zzz.yml",
        "cloud-config.yml",
        "kernel command line",
        "EXTRA_CMDLINE of cloud-config.yml",
    ]
    for strongest in "87654321":
        assert layers.environment() == {"A": strongest}
        assert layers.get(A) == int(strongest)
        layers = layers.below(layers.layers[-1].name)
    assert layers.environment() == {}
    assert layers.get(A) is None


def test_maps_merge_and_all_else_replaces() -> None:
    layers = layered(
        os="rancher: {a: {b: 1, c: 2, d: {e: 3}, f: [4, 5]}}",
        conf="rancher: {a: {c: {g: 6}, d: 7, f: [8]}}",
    )
    assert layers.get(("rancher", "a")) == {"b": 1, "c": {"g": 6}, "d": 7, "f": [8]}
    assert layers.get(("rancher", "a", "b", "c")) is None


@pytest.mark.parametrize(
    ("conf", "setter"),
    [
        ("rancher: {docker: {extra_args: [a]}}", "cloud-config.yml"),
        ("rancher: {docker: {extra_args: }}", "cloud-config.yml"),
        ("rancher: {docker: }", "cloud-config.yml"),
        ("rancher:", "cloud-config.yml"),
        ("rancher: {docker: {}}", names.DROP_IN),
        ("rancher: {environment: }", names.DROP_IN),
        ("hostname: x", names.DROP_IN),
    ],
)
def test_the_setter_has_the_path_or_a_null_above_it(conf: str, setter: str) -> None:
    layers = layered(ours="rancher: {docker: {extra_args: [b]}}", conf=conf)
    found = layers.setter(EXTRA_ARGS)
    assert found
    assert found.name == setter
    shadow = layers.shadow(EXTRA_ARGS)
    assert (shadow.name if shadow else None) == (None if setter == names.DROP_IN else setter)


def test_nobody_may_set_a_path() -> None:
    assert layered(conf="rancher: {}").setter(A) is None


@pytest.mark.parametrize(
    ("files", "shadowed"),
    [
        ({"os": sets("1"), "boot": sets("1")}, False),
        ({"zzz": sets("1")}, True),
        ({"conf": sets("1")}, True),
        ({"kernel": "rancher.environment.A=1"}, True),
        ({"boot": "EXTRA_CMDLINE: rancher.environment.A=1"}, True),
    ],
)
def test_what_is_stronger_than_our_drop_in_shadows_it(
    files: dict[str, str], *, shadowed: bool
) -> None:
    assert (layered(**files).shadow(A) is not None) is shadowed


def test_a_command_line_that_cannot_be_read_is_above_our_drop_in() -> None:
    disk = Disk({}, {paths.COMMAND_LINE: "Permission denied"})
    layers = stack(disk, release_named("v1.5.8"))
    (layer,) = layers.unread
    assert layer.name == names.KERNEL
    assert layers.is_above_drop_in(layer)


def test_what_the_others_say_is_known_without_ours() -> None:
    layers = layered(
        boot="rancher: {docker: {extra_args: [theirs]}}",
        ours="{rancher: {docker: {extra_args: [ours]}}, EXTRA_CMDLINE: rancher.environment.A=1}",
    )
    assert layers.docker_arguments("extra_args") == ("ours",)
    assert layers.environment() == {"A": "1"}
    others = layers.without(names.DROP_IN)
    assert others.docker_arguments("extra_args") == ("theirs",)
    assert others.environment() == {}


def test_one_file_can_be_looked_at_alone() -> None:
    layers = layered(os=sets("1"), conf=sets("2", "B"))
    assert layers.only(paths.CLOUD_CONFIG).environment() == {"B": "2"}
    assert layers.only(paths.DROP_IN).merged == {}


def test_below_a_layer_that_is_not_there_is_everything() -> None:
    layers = layered(os=sets("1"))
    assert layers.below(names.DROP_IN) == layers


def test_arguments_are_those_that_the_release_reads() -> None:
    conf = "rancher: {docker: {args: [daemon, 1, true, ~], extra_args: ['~', 0x1F]}}"
    old, new = layered("v0.6.1", conf=conf), layered("v0.7.1", conf=conf)
    assert old.docker_arguments("args") == ("daemon", "1", "true", "")
    assert new.docker_arguments("args") == ()
    assert new.docker_arguments("extra_args") == ("", "31")


def test_a_file_with_a_problem_sets_nothing_and_is_named() -> None:
    layers = layered(boot="rancher: {environment: {A: é}}", bad="{", conf="hostname: {}")
    assert layers.problems == (
        "cloud-config.d/bad.yml: it is not YAML as ros reads it in line 2",
        (
            "cloud-config.d/boot.yml: U+00E9 in line 1, which ros cannot read back:"
            " only ASCII is safe in keys and values"
        ),
        "cloud-config.yml: hostname is a list or a map, not text",
    )
    assert layers.merged == {}
    assert layers.fatal is None


def test_before_v0_5_one_broken_file_breaks_everything() -> None:
    layers = layered("v0.4.5", bad="{", boot=sets("1"))
    assert layers.fatal == "cloud-config.d/bad.yml: it is not YAML as ros reads it in line 2"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"boot": sets("à")}, "cloud-config.d/boot.yml: U+00E0 in a key or value"),
        (
            {"boot": "write_files: [{path: /a, content: 'x €'}]"},
            "cloud-config.d/boot.yml: U+20AC in a key or value",
        ),
        ({"boot": "rancher: {environment: {à: x}}"}, "cloud-config.d/boot.yml: U+00E0"),
        ({"kernel": "rancher.environment.A=é"}, "kernel command line: U+00E9"),
        ({"kernel": "rancher.docker.extra_args=x"}, "kernel command line: rancher.docker.extra"),
        (
            {"a": "EXTRA_CMDLINE: rancher.docker=x"},
            "EXTRA_CMDLINE of cloud-config.d/a.yml: rancher",
        ),
        ({"boot": "[a]: b"}, "cloud-config.d/boot.yml: a list or a map is used as a key"),
    ],
)
def test_some_layers_make_every_question_fail(files: dict[str, str], why: str) -> None:
    assert str(layered(**files).fatal).startswith(why)


@pytest.mark.parametrize(
    "files",
    [
        {"boot": sets("à"), "conf": sets("a")},
        {"boot": sets("à"), "conf": "rancher: {environment: }"},
        {"boot": "nobody_knows: €"},
        {"boot": sets("ü")},
    ],
)
def test_a_character_that_does_not_reach_the_answer_does_no_harm(files: dict[str, str]) -> None:
    assert layered(**files).fatal is None


def test_what_we_cannot_read_may_set_anything() -> None:
    denied, folder = f"{paths.CLOUD_CONFIG_D}/a.yml", f"{paths.CLOUD_CONFIG_D}/b.yml"
    disk = disk_of(os=sets("1"), deep="[" * 200)
    disk = Disk(disk.files, {denied: "Permission denied", folder: paths.FOLDER})
    layers = stack(disk, release_named("v0.4.5"))
    assert [(layer.name, layer.problem) for layer in layers.unread] == [
        ("cloud-config.d/a.yml", "cannot be read: Permission denied"),
        ("cloud-config.d/deep.yml", "it is nested deeper than 100 levels"),
    ]
    assert layers.fatal == f"cloud-config.d/b.yml: cannot be read: {paths.FOLDER}"


def test_a_folder_that_cannot_be_listed_may_hold_anything() -> None:
    layers = stack(Disk({}, {paths.CLOUD_CONFIG_D: "Permission denied"}), release_named("v1.5.8"))
    assert [layer.name for layer in layers.unread] == ["cloud-config.d"]


def test_a_name_cannot_make_a_second_log_line() -> None:
    (layer,) = stack(Disk({f"{paths.CLOUD_CONFIG_D}/a\nb": b"{"}), release_named("v1.5.8"))
    assert layer.name == "'cloud-config.d/a\\nb'"


def test_extra_cmdline_is_read_from_v0_9_2_on_and_only_as_text() -> None:
    assert layered("v0.7.1", a="EXTRA_CMDLINE: rancher.environment.A=1").environment() == {}
    assert layered(a="EXTRA_CMDLINE: [rancher.environment.A=1]").environment() == {}


def test_a_null_variable_is_printed_in_gos_way_before_v0_5() -> None:
    assert layered("v0.4.5", boot=sets("~")).environment() == {"A": "<nil>"}
    assert layered("v0.6.1", boot=sets("~")).environment() == {"A": ""}


def test_an_environment_that_is_null_is_empty() -> None:
    assert layered(os=sets("1"), conf="rancher: {environment: }").environment() == {}


def test_a_file_that_has_not_changed_is_parsed_once() -> None:
    disk = disk_of(os=sets("1"), boot=sets("4"), conf=sets("2"))
    before = stack(disk, release_named("v1.5.8"))
    after = stack(
        disk.with_files({paths.CLOUD_CONFIG: sets("3").encode()}), release_named("v1.5.8")
    )
    assert [a.data is b.data for a, b in zip(before, after, strict=True)] == [True, True, False]


def test_bombs_of_aliases_are_merged_in_no_time() -> None:
    bomb = "rancher:\n  a0: &a0 {x: à}\n" + "".join(
        f"  a{i}: &a{i} {{k: *a{i - 1}, l: *a{i - 1}}}\n" for i in range(1, 60)
    )
    layers = layered(a=bomb, b=bomb)
    assert str(layers.fatal).startswith("cloud-config.d/b.yml: U+00E0")


def test_no_value_is_in_the_repr() -> None:
    layers = layered(conf=sets("secret"))
    assert "secret" not in repr(layers)


def test_outcomes_are_told_apart() -> None:
    by_name: dict[str, Outcome] = {
        layer.name: layer.outcome for layer in layered(a="{", b="[a]: b", c="[" * 200)
    }
    assert list(by_name.values()) == [Outcome.SKIPPED, Outcome.FATAL, Outcome.UNKNOWN]


def test_data_is_there_for_each_layer() -> None:
    (layer,) = layered(conf=sets("2"))
    expected: Node = {"rancher": {"environment": {"A": 2}}}
    assert layer.data == expected
    assert layer.path == paths.CLOUD_CONFIG
