from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancheros_ec2_metadata.errors import Level
from rancheros_ec2_metadata.hosts.rancheros.drop_in import explain_uncarriable
from rancheros_ec2_metadata.plan.desired import Desired, make_desired
from rancheros_ec2_metadata.settings import (
    NEVER_FROM_TAGS,
    PROXY_NAMES,
    EnvPrefix,
    Settings,
    TagMapping,
    Template,
)


def mapped(settings: Settings, tags: dict[str, str], **metadata: str) -> Desired:
    return make_desired(settings, metadata, tags, "complete", explain_uncarriable)


def warned(found: Desired, *texts: str) -> bool:
    return any(
        note.level is Level.WARNING and all(text in note.text for text in texts)
        for note in found.notes
    )


def with_mappings(*mappings: str) -> Settings:
    return Settings(label_prefixes=(), mappings=tuple(map(TagMapping.parse, mappings)))


@pytest.mark.parametrize(
    "key",
    [
        *("", "a=b", "com.docker.x", "IO.Docker.y", "org.dockerproject.z", "Com.DOCKER.x"),
        # Go, in which Docker is written, has one small letter for each of these.
        *("\u0130o.docker.x", "com.doc\u212aer.x"),
    ],
)
def test_a_key_that_would_stop_docker_is_refused_by_name(key: str) -> None:
    found = mapped(Settings(label_prefixes=("",)), {key: "x", "ok": "y"})
    assert found.labels == {"ok": "y"}
    assert warned(found, repr(key))


def test_no_tag_passes_for_a_metadata_label_that_the_instance_does_not_have() -> None:
    settings = Settings(label_prefixes=("",), metadata_labels=("iam-role",))
    found = mapped(settings, {"aws.iam-role": "admin", "aws.vpc-id": "x"})
    assert found.labels == {"aws.vpc-id": "x"}
    assert warned(found, "'aws.iam-role'")


def test_of_two_mappings_to_one_variable_the_later_wins_and_the_loser_is_named() -> None:
    found = mapped(with_mappings("a:V", "b:V"), {"a": "1", "b": "2"})
    assert found.variables["V"] == "2"
    assert any("'a'" in note.text and "overridden" in note.text for note in found.notes)


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        (with_mappings("db.hots:DB"), ["DB not set: no tag 'db.hots' on this instance"]),
        (with_mappings("h:hostname"), ["hostname not set: no tag 'h' on this instance"]),
        # Another source sets it all the same.
        (
            with_mappings("db.host:DB", "db.hots:DB"),
            ["DB is from tag 'db.host': no tag 'db.hots' on this instance"],
        ),
        (
            with_mappings("x:hostname", "name:hostname"),
            ["hostname is from tag 'name': no tag 'x' on this instance"],
        ),
        (
            with_mappings("x:AWS_REGION"),
            ["AWS_REGION is from metadata: no tag 'x' on this instance"],
        ),
        (
            with_mappings("x:A")._replace(templates=(Template.parse("A=b"),)),
            ["A is from --set A: no tag 'x' on this instance"],
        ),
        (
            with_mappings()._replace(env_prefixes=(EnvPrefix.parse("exmaple.:APP_"),)),
            ["no variable 'APP_*': no tag on this instance begins with 'exmaple.'"],
        ),
        (
            Settings(label_prefixes=("db.", "dokcer.")),
            ["no label 'dokcer.*': no tag on this instance begins with 'dokcer.'"],
        ),
        (
            with_mappings("db.host:DB")._replace(tags="none"),
            ["DB not set: no tags are read (--tags none)"],
        ),
        (Settings(label_prefixes=("",), env_prefixes=(EnvPrefix.parse(":APP_"),)), []),
        (Settings(), []),
    ],
)
def test_a_mapping_of_which_the_instance_has_no_tag_is_named(
    settings: Settings, texts: list[str]
) -> None:
    tags = {} if settings.tags == "none" else {"db.host": "x", "name": "web-1"}
    found = mapped(settings, tags, AWS_REGION="eu-west-1")
    notes = [note for note in found.notes if "no tag" in note.text]
    assert [note.text for note in notes] == texts
    assert all(note.left_out for note in notes)
    unread = make_desired(settings, {}, {}, None, explain_uncarriable, tags_known=False)
    assert not [note for note in unread.notes if "no tag" in note.text]


def test_set_beats_mappings_and_these_beat_prefixes_and_these_metadata() -> None:
    settings = Settings(
        env_prefixes=(EnvPrefix("p.", "V_"),),
        mappings=(TagMapping("m", "V_B"), TagMapping("m", "V_C"), TagMapping("m", "AWS_X")),
        templates=(Template.parse("V_C=t"),),
    )
    tags = {"p.a": "prefix", "p.b": "prefix", "p.c": "prefix", "m": "mapping"}
    found = mapped(settings, tags, AWS_X="metadata", AWS_Y="metadata")
    assert found.variables == {
        "V_A": "prefix",
        "V_B": "mapping",
        "V_C": "t",
        "AWS_X": "mapping",
        "AWS_Y": "metadata",
        "EC2_METADATA_STATUS": "complete",
    }


def test_metadata_is_no_variable_where_it_is_not_loaded() -> None:
    assert "AWS_X" not in mapped(Settings(metadata=False), {}, AWS_X="x").variables


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        ({"e.db.host": "right", "e.DB-HOST": "wrong", "e.db_host": "wrong"}, "right"),
        ({"e.db-host": "1", "e.db_host": "2"}, None),
    ],
)
def test_of_tags_meeting_in_a_prefixed_name_the_plain_spelling_wins_and_no_other(
    tags: dict[str, str], value: str | None
) -> None:
    found = mapped(Settings(env_prefixes=(EnvPrefix("e.", "A_"),)), tags)
    assert found.variables.get("A_DB_HOST") == value
    assert all(warned(found, repr(tag)) for tag in tags if tags[tag] != value)


def test_of_two_prefixes_meeting_in_a_name_the_later_wins_and_the_loser_is_named() -> None:
    settings = Settings(env_prefixes=(EnvPrefix("a.", "X_"), EnvPrefix("b.", "X_")))
    found = mapped(settings, {"a.k": "1", "b.k": "2", "a.alone": "3"})
    assert (found.variables["X_K"], found.variables["X_ALONE"]) == ("2", "3")
    assert [note.text for note in found.notes] == [
        "variable X_K: tag 'a.k' is overridden by tag 'b.k'"
    ]


def test_the_env_file_has_also_what_rancheros_cannot_carry() -> None:
    tags = {"a": "café", "b": "~", "c": "one\ntwo", "d": "plain"}
    mappings = tuple(TagMapping(tag, tag.upper()) for tag in tags)
    template = Template.parse("E={A}/{D}")
    settings = Settings(mappings=mappings, templates=(template,), env_file="/opt/ec2.env")
    found = mapped(settings, tags)
    assert found.variables == {"C": "one\ntwo", "D": "plain", "EC2_METADATA_STATUS": "complete"}
    assert found.env_file is not None
    assert found.env_file.variables == {
        "A": "café",
        "B": "~",
        "D": "plain",
        "E": "café/plain",
        "EC2_METADATA_STATUS": "complete",
    }
    assert warned(found, "'c'", "in the file of --env-file", "line end")
    assert mapped(Settings(mappings=mappings), tags).env_file is None


def test_what_must_not_come_from_a_tag_is_not_in_the_env_file_either() -> None:
    prefixes = tuple(EnvPrefix("e.", name[0]) for name in sorted(NEVER_FROM_TAGS | PROXY_NAMES))
    mapping = TagMapping("p", "http_proxy")
    tags = {f"e.{name[1:]}": "evil" for name in NEVER_FROM_TAGS | PROXY_NAMES} | {"p": "$(evil)"}
    found = mapped(Settings(env_prefixes=prefixes, mappings=(mapping,), env_file="/e"), tags)
    assert found.env_file is not None
    forbidden = NEVER_FROM_TAGS | PROXY_NAMES
    assert {n: v for n, v in found.env_file.variables.items() if n in forbidden} == {}


def test_a_template_is_composed_of_metadata_mapped_variables_and_tags() -> None:
    settings = Settings(
        mappings=(TagMapping("h", "DB_HOST"),),
        templates=(Template.parse("URL=db://{DB_HOST}:{tag:port}@{AWS_LOCAL_IPV4}/{{}}"),),
    )
    found = mapped(settings, {"h": "db", "port": "5432"}, AWS_LOCAL_IPV4="10.0.0.1")
    assert found.variables["URL"] == "db://db:5432@10.0.0.1/{}"


def test_a_template_with_a_part_missing_is_not_set_and_the_part_named() -> None:
    settings = Settings(templates=(Template.parse("URL={AWS_X}{tag:t}"),))
    found = mapped(settings, {})
    assert "URL" not in found.variables
    assert warned(found, "URL", "AWS_X", "'t'")


@pytest.mark.parametrize("value", ["é", "€", "~", "null", "Null", "NULL", "a\0b", "\x7f"])
def test_a_variable_that_ros_cannot_carry_is_left_out_by_name(value: str) -> None:
    found = mapped(with_mappings("t:V", "ok:OK"), {"t": value, "ok": "fine"})
    assert "V" not in found.variables
    assert found.variables["OK"] == "fine"
    assert warned(found, "'t'", "V")


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        ("hostname", "web-1.example.com", "web-1.example.com"),
        ("rancher.sysctl.net.ipv4.ip_forward", "1", "1"),
        ("rancher.ssh.port", "2222", 2222),
        ("rancher.network.dns.nameservers", "10.0.0.2, 10.0.0.3", ("10.0.0.2", "10.0.0.3")),
        ("rancher.network.http_proxy", "http://p:1", "http://p:1"),
        ("rancher.docker.log_driver", "syslog", "syslog"),
        ("rancher.docker.log_opts.max-size", "10m", "10m"),
        ("rancher.docker.insecure_registry", "a:5000 b:5000", ("a:5000", "b:5000")),
        ("hostname", "web_1", None),
        ("hostname", "a" * 64, None),
        ("hostname", "a." * 130, None),
        ("hostname", "$(x)", None),
        ("hostname", "null", None),
        ("rancher.ssh.port", "0", None),
        ("rancher.ssh.port", "65536", None),
        ("rancher.ssh.port", "٢٢", None),
        ("rancher.ssh.port", "x", None),
        ("rancher.network.dns.nameservers", " , ", None),
        ("rancher.network.dns.nameservers", "10.0.0.2 $(x)", None),
        ("rancher.docker.registry_mirror", "x$(touch f)", None),
        ("rancher.docker.registry_mirror", "a b", None),
        ("rancher.docker.registry_mirror", "a\n", None),
        ("rancher.docker.bip", "", None),
    ],
)
def test_a_config_path_takes_what_is_allowed_there_and_leaves_out_all_else_by_name(
    target: str, text: str, value: object
) -> None:
    found = mapped(with_mappings(f"t:{target}"), {"t": text})
    assert found.config == ({} if value is None else {target: value})
    assert warned(found, "'t'", target) is (value is None)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_whatever_the_tags_no_other_variable_is_set_and_each_note_names_its_tag(
    tags: dict[str, str],
) -> None:
    settings = Settings(
        label_prefixes=("",),
        env_prefixes=(EnvPrefix("", "X_"),),
        mappings=(TagMapping("a", "A"),),
    )
    found = mapped(settings, tags)
    allowed = {"A", "EC2_METADATA_STATUS"}
    assert all(name in allowed or name.startswith("X_") for name in found.variables)
    assert set(found.labels) <= set(tags)
