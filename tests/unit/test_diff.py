from rancheros_ec2_metadata.diff import diff
from rancheros_ec2_metadata.rancheros import disk as paths
from rancheros_ec2_metadata.rancheros.change import FileChange

SECRET = "wJalrXUtnFEMI"


OURS = "--label=a=$'x\\x0a'"


def lines(path: str, before: bytes | None, after: bytes | None) -> list[str]:
    return list(diff([FileChange(path, before, after)], [OURS]))


def test_of_cloud_config_yml_only_arguments_and_names_are_shown_never_a_value() -> None:
    before = f"""\
rancher:
  ssh: {{keys: {{rsa: {SECRET}}}}}
  docker: {{args: [daemon, --label, docker.role=old], extra_args: [-D, --x, '--y={SECRET}']}}
  environment: {{AWS_SECRET_ACCESS_KEY: {SECRET}, OTHER: {SECRET}}}
""".encode()
    after = f"""\
rancher:
  ssh: {{keys: {{rsa: {SECRET}}}}}
  docker: {{args: [daemon], extra_args: [-D, "--label=a=\\u0024'x\\\\x0a'"]}}
  environment: {{OTHER: {SECRET}, MINE: {SECRET}}}
""".encode()
    assert lines(paths.CLOUD_CONFIG, before, after) == [
        f"--- {paths.CLOUD_CONFIG}",
        f"+++ {paths.CLOUD_CONFIG}",
        "-rancher.docker.args: '--label'",
        "-rancher.docker.args: '…'",
        "-rancher.docker.extra_args: '--x'",
        "-rancher.docker.extra_args: '--y…'",
        r"+rancher.docker.extra_args: '--label=a=$\'x\\x0a\''",
        "-rancher.environment.AWS_SECRET_ACCESS_KEY: (its value is not shown)",
        "+rancher.environment.MINE: (its value is not shown)",
    ]


def test_a_file_that_comes_or_goes_is_the_null_device_on_the_other_side() -> None:
    assert lines(paths.DROP_IN, None, b"{}\n")[:2] == ["--- /dev/null", f"+++ {paths.DROP_IN}"]
    assert lines(paths.DROP_IN, b"{}\n", None)[:2] == [f"--- {paths.DROP_IN}", "+++ /dev/null"]


def test_only_lines_that_change_are_shown() -> None:
    before = b'{\n "a": "1",\n "b": "2"\n}\n'
    shown = lines(paths.DROP_IN, before, before.replace(b'"2"', b'"3"'))
    assert shown[2:] == ["@@ -3 +3 @@", '- "b": "2"', '+ "b": "3"']


def test_the_state_is_only_named() -> None:
    assert lines(paths.STATE, None, b"{}") == [f"write {paths.STATE}"]
    assert lines(paths.STATE, b"{}", b"[]") == [f"write {paths.STATE}"]
    assert lines(paths.STATE, b"{}", None) == [f"remove {paths.STATE}"]


def test_bytes_that_are_no_text_are_shown_all_the_same() -> None:
    shown = lines(paths.DROP_IN, b"a\n\xff\n", b"a\nb\n")
    assert shown[-2:] == ["-\N{REPLACEMENT CHARACTER}", "+b"]


def test_what_would_steer_a_terminal_is_escaped() -> None:
    shown = lines("/opt/ec2.env", None, "A=\x1b[31m\x85\rb\n".encode())
    assert shown[-1] == r"+A=\x1b[31m\x85\rb"


def test_nothing_is_said_where_nothing_changes() -> None:
    assert list(diff([])) == []
