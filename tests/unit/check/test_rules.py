"""What each rule finds, and what it does not, each with the line that it names."""

from __future__ import annotations

import base64
import gzip
from typing import NamedTuple

import pytest

from unit.check.checking import (
    GOOD,
    SERVICE,
    SERVICE_FILE,
    changed,
    check,
    in_service_file,
    with_command,
    with_docker,
    with_environment,
    with_file,
    with_names,
    with_service,
)


class Case(NamedTuple):
    """A file, and the rules that find something in it, each with the text of the line it names.

    ``said`` is in the reason or the fix of the first.
    """

    text: str
    found: tuple[tuple[str, str], ...]
    said: str = ""
    release: str = "v1.5.8"


def case(text: str, *found: str, said: str = "", release: str = "v1.5.8") -> Case:
    """Return a case; of each finding ``rule`` or ``rule @ line``."""
    pairs = [(rule, line) for rule, _, line in (one.partition(" @ ") for one in found)]
    return Case(text, tuple(pairs), said, release)


LABELS = {
    "scope": ("system", "user"),
    "detach": ('"false"', '"true"'),
    "after": ("network", "network,console"),
    "before": ("console", "network"),
    "reloadconfig": ('"true"', '"false"'),
}
CRON = GOOD.replace("ec2-metadata:\n", "again-ec2-metadata:\n")
for _name in ("detach", "after", "before", "reloadconfig"):
    CRON = CRON.replace(f"        io.rancher.os.{_name}: {LABELS[_name][0]}\n", "")
CRON = CRON.replace(
    "      volumes:",
    '        io.rancher.os.createonly: "true"\n        io.rancher.os.before: system-cron\n'
    '        cron.schedule: "0 5 * * * *"\n      volumes:',
)
LISTED = GOOD.replace("        io.rancher", "        - io.rancher")
for _old, _new in (
    ("system\n", "=system\n"),
    ("network\n", "=network\n"),
    ("console\n", "=console\n"),
):
    LISTED = LISTED.replace(f": {_old}", _new)
LISTED = LISTED.replace(': "false"', "=false").replace(': "true"', "=true")
TWO = GOOD + SERVICE.replace("ec2-metadata:\n", "ec2-metadata-2:\n").replace(
    '[-m, -l, "example.db.host:DB_HOST"]', "COMMAND"
)
CONF = "        - /var/lib/rancher/conf:/host/var/lib/rancher/conf\n"
ROS = "/usr/bin/ros:/usr/bin/ros:ro"
ROS_OF_2016 = "/usr/bin/ros:/bin/ros:ro"
FORK = f"image: mine/rancheros-ec2-metadata:1.0.0\nprivileged: true\nvolumes: ['{ROS_OF_2016}']"
IMAGE = "example/rancheros-ec2-metadata:1.0.0"
SYSTEM = "labels:\n  io.rancher.os.scope: system\n"
DAEMON_JSON = "/etc/docker/daemon.json"
DOCKER_OPTS = "/var/lib/rancher/conf/docker"
LABELLED = '{"labels": ["a=b"]}'
DAEMON_JSON_LINE = f"daemon-json @ - path: {DAEMON_JSON}"
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{one}: &{one} [{','.join([f'*{former}'] * 9)}]\n"
    for one, former in zip("bcdefgh", "abcdefg", strict=True)
)
CHAIN = "x0: &x0 [1]\n" + "".join(f"x{n + 1}: &x{n + 1} [*x{n}]\n" for n in range(200))


def cc(text: str) -> str:
    """Return a cloud-config."""
    return f"#cloud-config\n{text}\n"


def packed(content: str, encoding: str, codec: str = "utf-8") -> str:
    """Return a text as write_files has it packed."""
    raw = content.encode(codec)
    return base64.b64encode(gzip.compress(raw) if "g" in encoding else raw).decode()


LOADING = [
    *(case(text) for text in (GOOD, SERVICE_FILE, f"#compose\n{SERVICE_FILE}", LISTED)),
    case(GOOD.replace("\n", "\r\n")),
    case(changed("#cloud-config\n", "#cloud-config \t\r\n")),
    *(
        case(changed("#cloud-config\n", first), "no-cloud-config", said=said)
        for first, said in (
            ("", "its first line is not #cloud-config"),
            ("\n#cloud-config\n", "its first line is not #cloud-config"),
            ("# cloud-config\n", "its first line is not #cloud-config"),
            ("Content-Type: multipart/mixed\n", "MIME"),
            ("\ufeff#cloud-config\n", "byte order mark"),
        )
    ),
    *(case(text, "no-cloud-config @ ") for text in ("", "\n")),
    case("just words\n", "no-cloud-config", "not-read"),
    case(base64.b64encode(GOOD.encode()).decode(), "no-cloud-config", said="it is base64"),
    case("\ufeff#!/bin/sh\n", "no-cloud-config", said="byte order mark"),
    case(changed("      net: host\n", "      net: [host\n"), "not-read @ labels:"),
    case(changed("net: host", "net: *host"), "not-read @ net: *host"),
    case(changed("net: host", "dns: [a:b]"), "not-read @ dns: [a:b]"),
    case(changed("net: host", "dns: {a:}"), "not-read @ dns: {a:}"),
    case(changed("net: host", "net: host\n\tuser: a"), "not-read"),
    case(cc("hostname:\ta\nrunc\tmd: [a,\tb]"), "unknown-key"),
    case(cc("? [a]\n: b"), "not-read @ ? [a]", said="every call of ros fails"),
    case(cc("- a"), "not-read", said="it is not a map"),
    case(cc("~"), "not-read", said="there is nothing in it"),
    case(cc(""), "not-read", said="there is nothing in it"),
    case(cc("a: " + "[" * 200), "not-read", said="this program cannot follow it"),
    case(cc(CHAIN), "not-read", said="this program cannot follow it"),
    case(cc(BOMB), "not-read", said="this program cannot follow it"),
    case(cc("a: &a [*a]"), "not-read", said="an alias without its anchor"),
    case(
        changed("DB_HOST", "DÉ_HOST"), 'characters @ command: [-m, -l, "example.db.host:DÉ_HOST"]'
    ),
    case(cc("é: 1\nrancher: {}"), "characters @ é: 1", said="U+00E9"),
    case(cc('hostname: "€"'), 'characters @ hostname: "€"', said="U+20AC"),
    case(
        cc("hostname: é\nwrite_files:\n- path: /€"),
        "characters @ hostname: é",
        "characters @ - path: /€",
    ),
    case(changed("net: host", 'user: "\\U0001f600"'), "characters"),
    case(GOOD + "# é € 語\n"),
    case(changed("net: host", 'user: "ü"\n      net: host')),
    *(
        case(text, f"wrong-type @ {line}")
        for text, line in (
            (cc("hostname: [a]"), "hostname: [a]"),
            (cc("ssh_authorized_keys: one"), "ssh_authorized_keys: one"),
            (cc("runcmd: one"), "runcmd: one"),
            (cc("write_files:\n- path: /a\n- path: [b]"), "- path: [b]"),
            (cc("rancher: {ssh: {port: many}}"), "rancher: {ssh: {port: many}}"),
            (
                cc("rancher:\n  network:\n    interfaces:\n      eth0:\n        dhcp: perhaps"),
                "dhcp: perhaps",
            ),
            (cc("rancher: [a]"), "rancher: [a]"),
            (with_docker("extra_args: --debug"), "extra_args: --debug"),
            (with_docker("extra_args:\n- a\n- [b]"), "- [b]"),
            (with_docker("tls: maybe"), "tls: maybe"),
            (with_docker("log_opts: {a: [b]}"), "log_opts: {a: [b]}"),
            (with_service("environment:\n  DEBUG: true"), "DEBUG: true"),
            (with_service("environment:\n  A: 1.5"), "A: 1.5"),
            (with_service("environment:\n  DB_HOST:"), "DB_HOST:"),
            (with_service("environment:\n- DB_HOST: x"), "- DB_HOST: x"),
            (with_service("environment: DB_HOST"), "environment: DB_HOST"),
            (with_service("command: it's"), "command: it's"),
            (with_service("entrypoint: a\\"), "entrypoint: a\\"),
            (with_service("dns: 5"), "dns: 5"),
            (with_service("mem_limit: 512m"), "mem_limit: 512m"),
            (with_service("entrypoint: {a: b}"), "entrypoint: {a: b}"),
            (
                with_service("labels:\n- io.rancher.os.scope: system"),
                "- io.rancher.os.scope: system",
            ),
            (in_service_file("environment:\n- A: 1"), "- A: 1"),
            (in_service_file("labels:\n  a: [b]"), "a: [b]"),
            (changed("net: host", "cap_drop: ALL\n      net: host"), "cap_drop: ALL"),
        )
    ),
    case(changed("net: host", "net: [host]"), "wrong-type @ net: [host]", "net @ net: [host]"),
    case(changed('detach: "false"', "detach: false"), "wrong-type @ io.rancher.os.detach: false"),
    case(with_command(" [--deadline, 60]"), "wrong-type @ command: [--deadline, 60]"),
    case(changed('detach: "false"', "detach: false", SERVICE_FILE)),
    case(with_service('environment:\n  A: "true"\n  B: 5')),
    case(
        with_service(
            "environment: [DB_HOST]\nports: [80]\nprivileged: true\nmem_limit: 5\nlog_opt: {a: b}"
        )
    ),
    case(with_service("labels: [a=b]\nlinks: [x]\ncommand: run\ndns: 10.0.0.1\nhostname:")),
    case(with_service("labels:\nenvironment:\nvolumes:\nentrypoint:")),
    case(cc("mounts: [[a, b]]\nrancher: {ssh: {port: 22, daemon: on, keys: {a: b}}}")),
    case(f"{GOOD}---\nhostnme: x\n---\n", "several-documents @ ---"),
    case(f"{GOOD}---\na: [\n", "several-documents"),
    case(GOOD + "#" * (16384 - len(GOOD) - 1) + "\n"),
    case(GOOD + "#" * (16384 - len(GOOD)) + "\n", "too-large @ #cloud-config"),
    case(SERVICE_FILE + "#" * 20000),
    case(cc("runcmd:\n- [a, b]\n- echo"), "wrong-type @ - echo", release="v0.7.1"),
    case(cc("runcmd:\n- [a, b]\n- echo"), release="v0.8.0"),
    # With everything else that is wrong in the file.
    case(f"{changed('net: host', 'net: bridge')}hostname: [a]\n", "net", "wrong-type"),
    *(
        case(with_service(f"{definition}"), f"wrong-type @ {line}", said=said)
        for definition, line, said in (
            (
                "environment:\n  IP: $private_ipv4",
                "IP: $private_ipv4",
                "$private_ipv4 without quotes",
            ),
            (
                "environment:\n  A: b\n  IP: $public_ipv6",
                "IP: $public_ipv6",
                "$public_ipv6 without",
            ),
            (
                "environment: {IP: $public_ipv4}",
                "environment: {IP: $public_ipv4}",
                "in quotes, if",
            ),
            (
                "command:\n- run\n- $public_ipv4$private_ipv4",
                "- $public_ipv4$private_ipv4",
                "drops",
            ),
            ("command: [$public_ipv4, run]", "command: [$public_ipv4, run]", "without quotes"),
            ("labels:\n  ip: $private_ipv4 # ours", "ip: $private_ipv4 # ours", "without quotes"),
        )
    ),
    *(
        case(with_service(definition))
        for definition in (
            'environment:\n  IP: "$private_ipv4"',
            "environment:\n- IP=$private_ipv4",
            "environment:\n  IP: http://$private_ipv4",
            "hostname: $private_ipv4",
            "command: run $private_ipv4",
            "volumes:\n- $private_ipv4",
        )
    ),
    case(cc("rancher: {environment: {IP: $private_ipv4}}")),
    case(cc('hostname: "\\$private_ipv4"')),
]

KEYS = [
    case(
        f"{GOOD}  environment: {{A: x}}\n  services: {{}}\n",
        "duplicate-key @ services: {}",
        said="in line 3",
    ),
    case(cc("write_files:\n- path: /a\n- path: /b")),
    case(cc("write_files:\n- path: /a\n---\nwrite_files: []"), "several-documents"),
    *(
        case(text, f"unknown-key @ {line}", said=said)
        for text, line, said in (
            (cc("hostnme: a"), "hostnme: a", "write hostname"),
            (cc("services: {}"), "services: {}", "put it below rancher"),
            (cc("packages: []"), "packages: []", "look up its name"),
            (f"{GOOD}  enviroment: {{}}\n", "enviroment: {}", "write environment"),
            (f"{GOOD}  network: {{interface: {{}}}}\n", "network: {interface: {}}", "interfaces"),
            (with_docker("extra-args: [a]"), "extra-args: [a]", "write extra_args"),
            (with_docker("labels: [a=b]"), "labels: [a=b]", "look up its name"),
            (with_service("network_mode: host"), "network_mode: host", "write net"),
            (with_service("depends_on: [a]"), "depends_on: [a]", "io.rancher.os.after"),
            (with_service("enviroment: [A=b]"), "enviroment: [A=b]", "write environment"),
            (in_service_file("network_mode: host"), "network_mode: host", "write net"),
            (f"version: '2'\n{SERVICE_FILE}", "version: '2'", "use version 1"),
            (cc("write_files:\n- path: /a\n  contents: b"), "contents: b", "without content"),
            (cc("write_files:\n- path: /a\n  contents: b"), "contents: b", "write content"),
            (
                cc("write_files:\n- path: /a\n  content: b\n  mode: '0644'"),
                "mode: '0644'",
                "permissions",
            ),
            (
                cc("write_files:\n- path: /a\n  content: b\n  append: true"),
                "append: true",
                "look up",
            ),
        )
    ),
    case(
        "version: '2'\nservices:\n"
        + "".join(
            f"  {one}\n" for one in changed("net: host", "tty: true", SERVICE_FILE).splitlines()
        ),
        "unknown-key",
        "unknown-key",
        "net",
    ),
    case(cc("EXTRA_CMDLINE: rancher.debug=true\nruncmd: []\nrancher:\n  preload_wait: true")),
    *(
        case(with_docker(f"{key}: /mnt"), *found, said=said, release=release)
        for key, release, found, said in (
            ("graph", "v1.5.8", (), ""),
            ("data_root", "v2.0.0", (), ""),
            ("graph", "newest", (), ""),
            ("data_root", "newest", (), ""),
            ("data_root", "v1.5.8", ("unknown-key @ data_root: /mnt",), "write graph"),
            ("data_root", "v0.6.1", ("unknown-key @ data_root: /mnt",), "write graph"),
            ("graph", "v2.0.5", ("unknown-key @ graph: /mnt",), "write data_root"),
            ("data-root", "v1.5.8", ("unknown-key @ data-root: /mnt",), "write graph"),
            ("data-root", "v2.0.5", ("unknown-key @ data-root: /mnt",), "write data_root"),
            ("data-root", "newest", ("unknown-key @ data-root: /mnt",), "on BurmillaOS"),
        )
    ),
    case(with_docker("userns_enabled: true"), "unknown-key", said="take it out"),
    case(with_docker("userns_enabled: true"), release="v2.0.5"),
    case(with_docker("selinux_enabled: true"), "unknown-key", release="v2.0.5"),
    case(
        cc("rancher: {system_docker: {data_root: /a}}"), "unknown-key", said="rancher.system_docker"
    ),
    *(
        case(cc(text), *found, release=release)
        for text, found, release in (
            ("rancher:", (), "v0.9.0"),
            ("rancher:", ("empty-map @ rancher:",), "v0.7.1"),
            ("rancher:\n  environment:\n    # A: b", (), "newest"),
            ("rancher:\n  network:", (), "v1.5.8"),
            ("rancher:\n  environment:", ("empty-map @ environment:",), "v0.6.1"),
            ("rancher:\n  network:", ("empty-map @ network:",), "v0.6.1"),
            *(
                (f"rancher:\n  {key}: ~", (f"empty-map @ {key}: ~",), "v1.5.8")
                for key in ("docker", "services", "services_include", "sysctl", "system_docker")
            ),
            ("rancher: {environment: {A: }, docker: {extra_args: }}", (), "v0.6.1"),
            ("rancher: {environment: {}, docker: {}}", (), "v0.6.1"),
        )
    ),
]

OUR_SERVICE = [
    *(
        case(
            changed(f"        io.rancher.os.{name}: {right}\n", ""),
            f"{name} @ labels:",
            said=f"no label io.rancher.os.{name}",
        )
        for name, (right, _) in LABELS.items()
    ),
    *(
        case(
            changed(f"os.{name}: {right}", f"os.{name}: {wrong}"),
            f"{name} @ io.rancher.os.{name}: {wrong}",
        )
        for name, (right, wrong) in LABELS.items()
    ),
    *(
        case(changed("before: console", f"before: {one}"))
        for one in ("docker", "console,docker", "ntp, console")
    ),
    case(changed("detach=false", "detach=true", LISTED), "detach @ - io.rancher.os.detach=true"),
    case(
        changed(
            "        - io.rancher.os.scope", "        -\n        - io.rancher.os.scope", LISTED
        ),
        "wrong-type",
    ),
    case(
        changed("      volumes:", '        io.rancher.os.createonly: "true"\n      volumes:'),
        'createonly @ io.rancher.os.createonly: "true"',
    ),
    *(
        case(
            changed("net: host", f"net: host\n      {line}"),
            *([f"{rule} @ {line}"] if rule else []),
        )
        for line, rule in (
            *(
                ("restart: always", "restart"),
                ("restart: on-failure:3", "restart"),
                ('restart: "no"', ""),
            ),
            *(("privileged: true", "privileged"), ("privileged: yes", "privileged")),
            ("privileged: false", ""),
        )
    ),
    case(CRON),
    case(changed('"0 5 * * * *"', '"@hourly"', CRON)),
    case(
        changed('"0 5 * * * *"', '"5 * * * *"', CRON),
        'cron @ cron.schedule: "5 * * * *"',
        said="has a cron.schedule of 5 fields",
    ),
    case(
        changed('createonly: "true"', 'createonly: "false"', CRON),
        'cron @ io.rancher.os.createonly: "false"',
    ),
    case(changed("        io.rancher.os.before: system-cron\n", "", CRON), "cron @ labels:"),
    case(changed("scope: system", "scope: user", CRON), "scope"),
    case(TWO.replace("COMMAND", "-m -l other:OTHER"), "two-services @ ec2-metadata-2:"),
    case(
        TWO.replace("COMMAND", "-m -l example.db.host:DB_HOST --env-file /var/lib/rancher/conf/e"),
        "two-services",
    ),
    case(TWO.replace("COMMAND", "-m -l example.db.host:DB_HOST --deadline 60 --debug")),
    *(
        case(changed(IMAGE, image), f"image @ image: {image}", said=said)
        for image, said in (
            ("example/rancheros-ec2-metadata", "no version"),
            ("example/rancheros-ec2-metadata:latest", "the version latest"),
            ("localhost:5000/rancheros-ec2-metadata", "no version"),
        )
    ),
    *(
        case(changed(IMAGE, image))
        for image in (f"localhost:5000/{IMAGE}", f"mine@sha256:{'0' * 64}")
    ),
    case(
        changed(f"      image: {IMAGE}\n", ""),
        "image @ ec2-metadata:",
        said="there is nothing to run",
    ),
    case(
        changed("    ec2-metadata:\n", "    tags:\n").replace("net: host", "net: bridge"),
        "net @ net: bridge",
    ),
    case(
        changed(
            f"    ec2-metadata:\n      image: {IMAGE}", "    tags:\n      image: other:1"
        ).replace("net: host", "net: bridge")
    ),
    case(changed("      net: host\n", ""), "net @ ec2-metadata:"),
    # The program of 2016, by image or by name.
    *(
        case(
            with_service(f"image: {image}\nprivileged: true"),
            f"amazon-metadata @ image: {image}",
            said="take the service out",
        )
        for image in (
            "rancher/os-amazon-metadata:v0.9.2",
            "registry.example.com:5000/mine/os-amazon-metadata",
            "mine/rancheros-amazon-metadata:2",
            "deadroot/rancheros-ec2-metadata:latest",
            "docker.io/deadroot/rancheros-ec2-metadata@sha256:0",
        )
    ),
    case(with_service(FORK), "amazon-metadata @ image: mine/rancheros-ec2-metadata:1.0.0"),
    case(
        changed("net: host", "net: host\n      privileged: true", changed(ROS, ROS_OF_2016)),
        "privileged",
    ),
    case(
        cc("rancher:\n  services_include:\n    https://x/amazon-metadata.yml: yes"),
        "amazon-metadata @ https://x/amazon-metadata.yml: yes",
    ),
    case(f"{GOOD}    amazon-metadata: {{image: 'a:1'}}\n", "amazon-metadata"),
    case(in_service_file("image: rancher/os-amazon-metadata"), "amazon-metadata"),
    case(
        f"{GOOD}  services_include:\n    amazon-metadata: true\n    other: true\n",
        "amazon-metadata @ amazon-metadata: true",
        said="set amazon-metadata: false",
    ),
    case(f"{GOOD}  services_include:\n    amazon-metadata: false\n"),
]

MOUNTS = [
    *(
        case(changed(f"        - {mount}\n", ""), "mounts @ volumes:", said=f"{said}")
        for mount, said in (
            (
                "/var/lib/rancher/conf:/host/var/lib/rancher/conf",
                "add /var/lib/rancher/conf:/host/var",
            ),
            ("/usr/share/ros:/usr/share/ros:ro", "add /usr/share/ros:/usr/share/ros:ro"),
            (ROS, f"add {ROS}"),
            ("/etc/docker:/host/etc/docker:ro", "add /etc/docker:/host/etc/docker:ro"),
        )
    ),
    case(GOOD[: GOOD.index("      volumes:")], *["mounts @ ec2-metadata:"] * 4),
    *(
        case(changed(":/host/", ":/", changed(":/host/etc", ":/etc")), *found, said=said)
        for found, said in (
            (
                (
                    "mounts @ - /var/lib/rancher/conf:/var/lib/rancher/conf",
                    "mounts @ - /etc/docker:/etc/docker:ro",
                ),
                "write /var/lib/rancher/conf:/host/var/lib/rancher/conf",
            ),
        )
    ),
    case(
        changed(CONF, f"{CONF}        - /var/lib/rancher/conf:/var/lib/rancher/conf\n"),
        "mounts @ - /var/lib/rancher/conf:/var/lib/rancher/conf",
        said="take /var/lib/rancher/conf:/var",
    ),
    *(
        case(changed(CONF, f"        - {mount}\n"))
        for mount in (
            "/var/lib/rancher:/host/var/lib/rancher",
            "/:/host",
            "/var/lib/rancher/conf/:/host/var/lib/rancher/conf:rw",
            # The deepest mount is the one that is seen.
            "/other:/host/var/lib\n        - /var/lib/rancher/conf:/host/var/lib/rancher/conf",
        )
    ),
    *(
        case(changed(CONF, f"        - {mount}\n"), "mounts")
        for mount in (
            "/mine:/host/var/lib/rancher/conf",
            "/var/lib/rancher/conf",
            "conf:/host/var/lib/rancher/conf",
            "/var/lib:/host/var/lib\n        - /mine:/host/var/lib/rancher",
            "':::'",
        )
    ),
    case(changed(CONF, CONF.replace("\n", ":z,ro\n")), "mounts", said="nothing can be written"),
    case(with_command(" [--env-file, /var/lib/rancher/conf/ec2.env]")),
    case(
        with_command(" [--env-file, /opt/app/ec2.env]"), "mounts", said="add /opt/app:/host/opt/app"
    ),
    case(
        changed(
            CONF,
            f"{CONF}        - /opt:/host/opt\n",
            with_command(" [--env-file, /opt/app/ec2.env]"),
        )
    ),
    case(changed(ROS, "/usr/bin/ros:/bin/ros:ro")),
    case(changed(ROS, "/usr/bin/ros:/ros:ro"), "mounts"),
    case(changed(ROS, "/usr/bin/ros:/ros:ro", with_command(" [--ros, /ros]"))),
    case(with_command(" [--ros, /ros]"), "mounts"),
    case(changed(f"        - {ROS}\n", "", with_command(" [--ros, none]"))),
    case(changed(f"        - {ROS}\n", "") + "      volumes_from: [command-volumes]\n"),
]

SETTINGS = [
    *(
        case(with_command(f' "{command}"'), "command", said=said)
        for command, said in (
            ("-m -l no-target", "'no-target'"),
            ("-l example.db:PATH", "PATH steers the system"),
            ("-l a:rancher.console", "'rancher.console'"),
            ("--set A={", "'{'"),
            ("--nonsense", "--nonsense"),
            ("--nonsense 5", "--nonsense 5"),
            ("word", "word"),
            ("-h", "-h"),
            ("--version", "--version"),
            ("apply --deadline soon", "'soon'"),
            ("-m --metadat", "--metadat"),
            ("plan -m", "the command plan"),
            ("demo", "sets no label"),
            ("check", "the command check"),
            ("-t", "expected one argument"),
        )
    ),
    case(with_command(" it's"), "wrong-type"),
    *(
        case(with_command(f' "{command}"'))
        for command in ("", "-m", "apply -t ''", "clean --legacy", "-l a:b:C", "-mt docker.")
    ),
    case(with_command("\n      - -m\n      - -l\n      - example"), "command @ - example"),
    *(
        case(
            with_command(f"\n      - -m\n      - {item}"),
            f"command @ - {item}",
            said="make an item of each word",
        )
        for item in ("-l example.db.host:DB_HOST", "--require-tag docker.role")
    ),
    case(
        with_environment("AWS_METADATA_DEBUG: 'true'"),
        "setting",
        said="no service of this program names AWS_METADATA_DEBUG",
    ),
    *(
        case(with_environment("AWS_METADATA_DEBUG: 'true'", with_names(*names)), *found)
        for names, found in (
            (["AWS_METADATA_DEBUG"], ()),
            (["AWS_METADATA_*"], ()),
            (["AWS_METADATA_T*", "'*'"], ()),
            (["AWS_METADATA_T*"], ("setting @ AWS_METADATA_DEBUG: 'true'",)),
        )
    ),
    case(
        with_environment(
            "ec2-metadata/AWS_METADATA_DEADLINE: 'soon'", with_names("AWS_METADATA_DEADLINE")
        ),
        "command @ ec2-metadata/AWS_METADATA_DEADLINE: 'soon'",
    ),
    *(
        case(text, f"command @ {line}", said=said)
        for name, value, said in (
            ("AWS_METADATA_SET", "A={", "'{'"),
            ("AWS_METADATA_DEADLINE", "soon", "'soon'"),
            ("AWS_ENDPOINT_URL_EC2", "ec2", "not an http:// or https:// address"),
        )
        for text, line in (
            (with_environment(f"{name}: '{value}'", with_names(name)), f"{name}: '{value}'"),
            (with_names(f"{name}={value}"), f"- {name}={value}"),
        )
    ),
    *(
        case(text, "setting", said="write AWS_METADATA_TAG_PREFIXES")
        for text in (
            with_environment("AWS_METADATA_TAG_PREFIX: a."),
            with_names("AWS_METADATA_TAG_PREFIX"),
        )
    ),
]

DOCKER = [
    *(
        case(with_docker("args: [a]"), "unknown-key", said="write extra_args", release=release)
        for release in ("v0.7.0", "v1.5.8", "newest")
    ),
    case(with_docker("args: [daemon, --debug]"), release="v0.6.1"),
    *(
        case(
            with_docker(f"extra_args:\n- --debug\n- '{item}'"),
            f"docker-arguments @ - '{item}'",
            said=said,
        )
        for item, said in (
            ("--label=''a.b=c", "an open"),
            ("--debug; reboot", "has a ;"),
            ("--debug # a comment", "a comment"),
            ("--label=motto=hello world", "is two words"),
            ("--label={a=b,c=d}", "braces"),
            ("(a)", "has a ("),
            ("--label=zone=$AWS_REGION", "do not see rancher.environment"),
            ("--label=ip=$public_ipv4", "$public_ipv4 without quotes"),
            ("--cluster-advertise=$private_ipv4:2376", "<nil>"),
        )
    ),
    *(
        case(with_docker(f"extra_args: ['{item}']"))
        for item in (
            "--label=a.b=1 --debug",
            "--log-opt max-size=25m",
            '--label="a.b=x y"',
            "--label a.b=1",
            "--x={a,b}",
            "--a=$HOSTNAME",
            '--label="ip=$public_ipv4"',
            "--label",
            '--label="$(hostname)=x"',
        )
    ),
    case(with_docker("extra_args: ['--x=(y', --label=ip=$public_ipv4]"), release="v0.5.0"),
    case(
        with_docker("extra_args: [\"--label='$private_ipv4'\"]"),
        "docker-labels",
        said="'$private_ipv4' has no =",
    ),
    *(
        case(with_docker(f"extra_args:\n{items}"), f"docker-labels @ {line}", release=release)
        for items, line in (
            ("- --debug\n- --label=com.docker.x=1", "- --label=com.docker.x=1"),
            ("- --label\n- ORG.dockerproject.x=1", "- ORG.dockerproject.x=1"),
            ("- --label=role", "- --label=role"),
            ("- --label=a.b=1\n- --debug\n- --label=a.b=2", "- --label=a.b=2"),
        )
        for release in ("v0.5.0", "v1.5.8")
    ),
    case(
        with_docker("extra_args:\n- (\n- --label a.b=1 --label a.b=2"),
        "docker-arguments",
        "docker-labels",
    ),
    case(with_docker("extra_args: [--label=a.b=1, --label=a.b=1]")),
    case(with_docker("extra_args: [--label, '{a,b}=1', --label=a]")),
]

TAGS = [
    *(
        case(
            with_command(f"\n      - -t\n      - '{prefix}'"),
            *([f"{rule} @ - '{prefix}'"] if rule else []),
        )
        for prefix, rule in (
            *((one, "swarm-constraint") for one in ("team/", "aws:", "my team.")),
            *((one, "swarm-constraint") for one in ("1docker.", ".x")),
            *((one, "") for one in ("docker.", "a", "_x-", "com.")),
        )
    ),
    case(with_command(" [-t, '']")),
    *(
        case(
            with_docker(f"extra_args:\n- \"--label='{label}'\""),
            *([f"{rule} @ - \"--label='{label}'\""] if rule else []),
            said=said,
        )
        for label, rule, said in (
            *(
                (f"{key}=x", "swarm-constraint", "its key has other")
                for key in ("team/role", "a b", "a:b")
            ),
            *((f"{key}=x", "swarm-constraint", "Swarm mode can") for key in ("z", "9x", "-a")),
            ("role=web,api", "swarm-constraint", "its value has ','"),
            ("role=50%", "swarm-constraint", "its value has '%'"),
            ("role=", "swarm-constraint", "its value is empty"),
            ("role=web ", "swarm-constraint", "ends with white space"),
            ("role=a:b-c_d.e*f(g)h?i+j[k]l^m$n|o/p q", "", ""),
        )
    ),
    case(
        with_docker("""extra_args: ["--label=$'role=caf\\\\xc3\\\\xa9'"]"""),
        "swarm-constraint",
        said="'é'",
    ),
]

OTHERS = [
    *(
        case(with_file(content, DAEMON_JSON, encoding), DAEMON_JSON_LINE, said=said)
        for content, encoding, said in (
            (LABELLED, "", "has labels"),
            (f"{LABELLED} and more", "", "has labels"),
            ('{"x": {"labels": []}}', "", "has labels"),
            *(
                (packed(LABELLED, one), one, "has labels")
                for one in ("b64", "base64", "gz+b64", "gzip+base64")
            ),
            (packed(LABELLED, "b64", "utf-16"), "b64", "has labels"),
        )
    ),
    *(
        case(with_file(one, DAEMON_JSON))
        for one in ('{"debug": true}', "{", '{"runtimes": {"labels": {}}}')
    ),
    case(with_file(LABELLED, DAEMON_JSON) + f"- path: {DAEMON_JSON}\n  content: '{{}}'\n"),
    case(with_file(LABELLED, DAEMON_JSON) + "  container: other\n"),
    *(
        case(
            f"{with_docker(docker)}write_files:\n- path: //my.json\n  content: '{LABELLED}'\n",
            "daemon-json @ - path: //my.json",
        )
        for docker in (
            "config_file: /my.json",
            "extra_args: [--config-file=/my.json]",
            "extra_args: [--config-file, /my.json]",
        )
    ),
    *(
        case(with_file(content, DOCKER_OPTS), *found)
        for content, found in (
            (
                'DOCKER_OPTS="--label docker.role=x --label other=y"',
                (f"docker-opts @ - path: {DOCKER_OPTS}",),
            ),
            ('DOCKER_OPTS="--label=docker.role=x"', (f"docker-opts @ - path: {DOCKER_OPTS}",)),
            ('DOCKER_OPTS="--label role=x"', ()),
            ("# --label=docker.role=x", ()),
        )
    ),
    case(
        f"{GOOD}runcmd:\n- [touch, /a]\n- [ros, config, set, rancher.docker.tls, 'true']\n",
        "runcmd @ - [ros, config, set, rancher.docker.tls, 'true']",
    ),
    case(f"{GOOD}runcmd:\n- echo\n- cat {DAEMON_JSON}\n"),
    *(
        case(with_file("ros config set rancher.docker.tls true", path), *found)
        for path, found in (
            ("/etc/rc.local", ("runcmd @ - path: /etc/rc.local",)),
            ("/opt/rancher/bin/start.sh", ("runcmd @ - path: /opt/rancher/bin/start.sh",)),
            ("/root/x.sh", ()),
        )
    ),
    case(with_file("A", "/etc/rc.local", "b64")),
    *(
        case(f"#!/bin/sh\n{line}\n", *found)
        for line, found in (
            ("echo", ()),
            (": [", ()),
            *(
                (line, (f"runcmd @ {line}",))
                for line in (
                    'ros config set rancher.docker.extra_args "[--debug]"',
                    "printf '{rancher: {docker: {extra_args: [-D]}}}' | ros config merge",
                    f"echo 'DOCKER_OPTS=\"--label a=b\"' >{DOCKER_OPTS}",
                    f"echo '{LABELLED}' >{DAEMON_JSON}",
                )
            ),
            (f"echo '{{}}' >{DAEMON_JSON}", ()),
            (
                "ros config merge <<E\nrancher:\n  docker:\n    args: [daemon]\nE",
                ("runcmd @ rancher:",),
            ),
            (f"cat >{DAEMON_JSON} <<E\n{LABELLED}\nE", (f"runcmd @ cat >{DAEMON_JSON} <<E",)),
        )
    ),
]

CASES = [
    *LOADING,
    *KEYS,
    *OUR_SERVICE,
    *MOUNTS,
    *SETTINGS,
    *DOCKER,
    *TAGS,
    *OTHERS,
]


@pytest.mark.parametrize("case", CASES)
def test_what_is_found(case: Case) -> None:
    findings = check(case.text, case.release)
    lines = case.text.splitlines() or [""]
    found = [(one.rule, lines[one.line - 1].strip()) for one in findings]
    wanted = [
        (rule, line or there) for (rule, line), (_, there) in zip(case.found, found, strict=False)
    ]
    assert found == wanted
    assert len(found) == len(case.found)
    if case.said:
        assert case.said in f"{findings[0].reason}; {findings[0].fix}"


def test_packed_user_data_is_checked_where_the_release_unpacks_it() -> None:
    raw = gzip.compress(changed("net: host", "net: bridge").encode() + b"#" * 20000)
    assert [finding.rule for finding in check(raw)] == ["net"]
    script = gzip.compress(b"#!/bin/sh\nros config set rancher.docker.tls true\n")
    assert [finding.rule for finding in check(script)] == ["runcmd"]
    (finding,) = check(raw, "v1.4.0")
    assert finding.rule == "no-cloud-config"
    assert "unpacks from v1.4.1 on" in finding.reason
    for broken in (raw[:-9], raw[:20] + b"\xff" * 20):
        assert [finding.rule for finding in check(broken)] == ["no-cloud-config"]


def test_bytes_that_are_no_text_are_not_read() -> None:
    assert [finding.rule for finding in check(b"#cloud-config\nhostname: \xff\n")] == ["not-read"]


def test_no_value_is_shown_that_may_be_a_secret() -> None:
    text = with_environment("OTHER: [hidden]")
    text = with_docker(
        "extra_args: ['--password=hidden; x', 'hidden; x', '-p hidden (', --label=1/a=hidden]", text
    )
    findings = check(text)
    assert len(findings) == 5
    assert not any("hidden" in finding.reason + finding.fix for finding in findings)
