"""What each rule finds, and what it does not.

In a text of cases ``#< rule: words`` stands behind each line that a rule is to name; the words are
in the reason or in the fix. A line with ``#= RELEASE`` says for which release its case is.
"""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable, Iterator
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
    with_file,
    with_service,
)

ROS = "/usr/bin/ros:/usr/bin/ros:ro"
IMAGE = "example/rancheros-ec2-metadata:1.0.0"
DAEMON_JSON = "/etc/docker/daemon.json"
LABELLED = '{"labels": ["a=b"]}'


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


def cases(make: Callable[[str], str], text: str, separator: str = "\n") -> Iterator[Case]:
    """Yield a case for each line, or each part, of a text."""
    for part in text.strip("\n").split(separator):
        said = ""
        found = []
        for line in part.splitlines():
            for mark in re.findall(r"#< ([a-z-]+)(?:: (.*?))?(?=\s+#[<=]|$)", line):
                found.append((mark[0], line.strip()))
                said = said or mark[1]
        release = re.search(r"#= (\S+)", part)
        yield Case(make(part), tuple(found), said, release[1] if release else "v1.5.8")


def parts(make: Callable[[str], str], text: str) -> Iterator[Case]:
    """Yield a case for each part of a text, which end with an empty line."""
    yield from cases(make, text, "\n\n")


def cc(text: str) -> str:
    """Return a cloud-config."""
    return f"#cloud-config\n{text}\n"


def in_file(text: str) -> str:
    """Return a cloud-config with a file that has a key more."""
    return cc(f"write_files:\n- path: /a\n  content: b\n  {text}")


def with_item(text: str) -> str:
    """Return the good cloud-config with an item among Docker's arguments."""
    return with_docker(f"extra_args:\n- --debug\n- {text}")


def with_prefix(text: str) -> str:
    """Return the good cloud-config with a prefix of tags."""
    return with_command(f"\n      - -t\n      - {text}")


def with_volume(text: str) -> str:
    """Return the good cloud-config with another mount in place of that of conf."""
    return changed("/var/lib/rancher/conf:/host/var/lib/rancher/conf", text)


def below_labels(text: str) -> str:
    """Return the good cloud-config with a label in place of the one of that name."""
    name = text.partition(":")[0]
    return re.sub(rf"{re.escape(name)}: .*", lambda _: text, GOOD)


def packed(content: str) -> str:
    """Return a text as write_files has it, packed with gzip and base64."""
    return base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()


LISTED = re.sub(r"        (io\.rancher\S+): \"?(\w+)\"?", r"        - \1=\2", GOOD)
CRON = re.sub(r"        io.rancher.os.(detach|after|before|reloadconfig).*\n", "", GOOD)
CRON = CRON.replace(
    "      volumes:",
    '        io.rancher.os.createonly: "true"\n        io.rancher.os.before: system-cron\n'
    '        cron.schedule: "0 5 * * * *"\n      volumes:',
)
BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{one}: &{one} [{','.join([f'*{former}'] * 9)}]\n"
    for one, former in zip("bcdefgh", "abcdefg", strict=True)
)
CHAIN = "x0: &x0 [1]\n" + "".join(f"x{n + 1}: &x{n + 1} [*x{n}]\n" for n in range(200))
TWO = GOOD + SERVICE.replace("ec2-metadata:\n", "ec2-metadata-2:\n").replace(
    '[-m, -l, "example.db.host:DB_HOST"]', "COMMAND"
)

LOADING = [
    *(case(text) for text in (GOOD, SERVICE_FILE, f"#compose\n{SERVICE_FILE}", LISTED)),
    case(GOOD.replace("\n", "\r\n")),
    case(
        changed("#cloud-config\n", ""),
        "no-cloud-config",
        said="its first line is not #cloud-config",
    ),
    *(case(text, "no-cloud-config @ ") for text in ("", "\n")),
    case("just words\n", "no-cloud-config", "not-read"),
    case(" #!/bin/sh\n", "no-cloud-config", said="make #! the first two characters"),
    case(f"#Compose\n{SERVICE_FILE}", "no-cloud-config", said="make the first line #compose"),
    case(changed("      net: host\n", "      net: [host\n"), "not-read @ labels:"),
    case(changed("net: host", "net: host\n\tuser: a"), "not-read"),
    *cases(
        with_service,
        """
net: *host  #< not-read: it is not YAML
volumes: [/a:/b, /c:/d]  #< not-read: needs quotes
dns: {a:}  #< not-read: needs quotes
dns: [a?b]  #< not-read: needs quotes
volumes: ["/a:/b"]
""",
    ),
    *cases(
        cc,
        """
runc\tmd: [a,\tb]  #< unknown-key
? [a]  #< not-read: every call of ros fails
- a  #< not-read: it is not a map
~  #< not-read: there is nothing in it
a: &a [*a]  #< not-read
rancher: {environment: {AWS_METADATA_DEBUG: "true"}}
é: 1  #< characters: U+00E9  #< unknown-key
hostname: "\\x7f"  #< characters: U+007F
{hostname: é, runcmd: [a]}  #< characters
hostname: [a]  #< wrong-type: hostname is a list, not a text
ssh_authorized_keys: one  #< wrong-type
runcmd: one  #< wrong-type
write_files: [{path: [b]}]  #< wrong-type
rancher: [a]  #< wrong-type: is a list, not a map
rancher: {ssh: {port: many}}  #< wrong-type: not a whole number
rancher: {network: {interfaces: {eth0: {dhcp: perhaps}}}}  #< wrong-type
mounts: [[a, b]]
rancher: {ssh: {port: 22, daemon: on, keys: {a: b}}, environment: {IP: $private_ipv4}}
hostname: "\\$private_ipv4"
runcmd: [echo]  #< wrong-type  #= v0.7.1
runcmd: [echo]  #= v0.8.0
""",
    ),
    *(
        case(cc(text), "not-read", said=said)
        for text, said in (
            ("", "there is nothing in it"),
            *(
                (one, "this program cannot follow it")
                for one in ("a: " + "[" * 200 + "]" * 200, CHAIN, BOMB)
            ),
        )
    ),
    *cases(
        with_docker,
        """
extra_args: --debug  #< wrong-type
extra_args: [a, [b]]  #< wrong-type
tls: maybe  #< wrong-type: not true or false
log_opts: {a: [b]}  #< wrong-type
""",
    ),
    *cases(
        with_service,
        """
environment: {DEBUG: true}  #< wrong-type: web.environment.DEBUG is true or false, not a text
environment: {DB_HOST: }  #< wrong-type: is nothing, not a text
environment: [DB_HOST: x]  #< wrong-type
environment: DB_HOST  #< wrong-type
environment: {A: b, IP: $private_ipv4}  #< wrong-type: an address without quotes
command: it's  #< wrong-type: close its quotes
command: [run, 5]  #< wrong-type: web.command[] is a number, not a text
command: [run, $public_ipv4$private_ipv4]  #< wrong-type: in quotes, if it is a text
dns: 5  #< wrong-type
mem_limit: 512m  #< wrong-type
entrypoint: {a: b}  #< wrong-type
cap_drop: ALL  #< wrong-type
labels: [io.rancher.os.scope: system]  #< wrong-type
environment: {A: "true", B: 5, IP: "$private_ipv4", URL: "http://$private_ipv4"}
environment: [DB_HOST, IP=$private_ipv4]
command: run $private_ipv4
{ports: [80], privileged: true, mem_limit: 5, log_opt: {a: b}, hostname: $private_ipv4}
{labels: [a=b], links: [x], dns: 10.0.0.1, hostname: }
{labels: , environment: , volumes: , entrypoint: }
""",
    ),
    *parts(
        with_service,
        """
environment:
  A: b
  IP: $private_ipv4  #< wrong-type

labels:
- a=b
- io.rancher.os.scope: system  #< wrong-type
""",
    ),
    *cases(
        in_service_file,
        """
environment: [A: 1]  #< wrong-type
labels: {a: [b]}  #< wrong-type
command: [run, 5]  #< wrong-type
labels: {a: false}
""",
    ),
    case(f"{GOOD}---\nhostnme: x\n---\n", "several-documents @ ---"),
    case(f"{GOOD}---\na: [\n", "several-documents"),
    # With everything else that is wrong in the file.
    *(
        case(f"{changed('net: host', 'net: bridge')}{text}\n", "net", rule)
        for text, rule in (
            ("hostname: [a]", "wrong-type"),
            ("runcmd: [[a:b]]", "not-read"),
            ("hostname: é", "characters"),
        )
    ),
]

KEYS = [
    *parts(
        cc,
        """
rancher:
  environment: {A: x}
  environment: {}  #< duplicate-key: in line 3

write_files:
- path: /a
- path: /b

rancher:  #= v0.9.0

rancher:  #< empty-map  #= v0.7.1

rancher: {environment: , network: }

rancher:
  environment:  #< empty-map  #= v0.6.1
  network:  #< empty-map

rancher:
  docker:  #< empty-map: takes out all
  services: ~  #< empty-map
  services_include: null  #< empty-map
  sysctl:  #< empty-map
  system_docker:  #< empty-map

rancher: {environment: {A: }, docker: {extra_args: }}  #= v0.6.1

rancher: {environment: {}, docker: {}}  #= v0.6.1

EXTRA_CMDLINE: rancher.debug=true
rancher:
  preload_wait: true
""",
    ),
    *cases(
        cc,
        """
hostnme: a  #< unknown-key: write hostname
services: {}  #< unknown-key: put it below rancher
packages: []  #< unknown-key: look up its name
rancher: {enviroment: {}}  #< unknown-key: write environment
rancher: {network: {interface: {}}}  #< unknown-key: interfaces
rancher: {system_docker: {data_root: /a}}  #< unknown-key: rancher.system_docker
write_files: [{path: /a, contents: b}]  #< unknown-key: write content
write_files: [{path: /a, data: b}]  #< unknown-key: no key below write_files[]
""",
    ),
    *cases(
        in_file,
        """
mode: '0644'  #< unknown-key: permissions
append: true  #< unknown-key: look up
""",
    ),
    *cases(
        with_docker,
        """
extra-args: [a]  #< unknown-key: write extra_args
labels: [a=b]  #< unknown-key: look up its name
graph: /mnt
graph: /mnt  #= newest
data_root: /mnt  #= newest
data_root: /mnt  #= v2.0.0
data_root: /mnt  #< unknown-key: write graph
graph: /mnt  #< unknown-key: write data_root  #= v2.0.5
Graph: /mnt  #< unknown-key: write graph
data-root: /mnt  #< unknown-key: on BurmillaOS  #= newest
userns_enabled: true  #< unknown-key: in this release
userns_enabled: true  #= v2.0.5
selinux_enabled: true  #< unknown-key  #= v2.0.5
args: [daemon]  #< unknown-key: write extra_args  #= newest
args: [daemon]  #= v0.6.1
""",
    ),
    *cases(
        with_service,
        """
network_mode: host  #< unknown-key: write net
healthcheck: {}  #< unknown-key: in compose version 1
depends_on: [a]  #< unknown-key: io.rancher.os.after
enviroment: [A=b]  #< unknown-key: write environment
""",
    ),
    case("version: '2'\nservices: {a: {image: b}}\n", "no-cloud-config"),
]

OUR_SERVICE = [
    *(
        case(re.sub(rf"        io.rancher.os.{name}: .*\n", "", GOOD), f"{name} @ labels:")
        for name in ("scope", "detach", "after", "before", "reloadconfig")
    ),
    *cases(
        below_labels,
        """
scope: user  #< scope
detach: "true"  #< detach: set io.rancher.os.detach: "false"
after: network,console  #< after
after: console network  #< after
before: network  #< before
before: docker
before: console,docker
before: ntp, console
reloadconfig: "false"  #< reloadconfig
""",
    ),
    case(changed("detach=false", "detach=true", LISTED), "detach @ - io.rancher.os.detach=true"),
    case(
        changed("      volumes:", '        io.rancher.os.createonly: "true"\n      volumes:'),
        'createonly @ io.rancher.os.createonly: "true"',
    ),
    *cases(
        lambda text: changed("net: host", f"net: host\n      {text}"),
        """
restart: always  #< restart
restart: "no"
privileged: true  #< privileged: take it out
privileged: False
""",
    ),
    case(CRON),
    case(changed('"0 5 * * * *"', '"@hourly"', CRON)),
    case(changed('"0 5 * * * *"', '"5 * * * *"', CRON), "cron", said="by a schedule of six fields"),
    case(changed('createonly: "true"', 'createonly: "false"', CRON), "cron"),
    case(changed("        io.rancher.os.before: system-cron\n", "", CRON), "cron @ labels:"),
    case(changed("scope: system", "scope: user", CRON), "scope"),
    case(TWO.replace("COMMAND", "-m -l other:OTHER"), "two-services @ ec2-metadata-2:"),
    *(
        case(TWO.replace("COMMAND", f"-m -l example.db.host:DB_HOST {flag}"), "two-services")
        for flag in (
            "-t a.",
            "--env-prefix a.:B_",
            "--set A=b",
            "--metadata-labels instance-type",
            "--status-label",
            "--env-file /var/lib/rancher/conf/a",
        )
    ),
    case(
        TWO.replace(
            "COMMAND", "-l example.db.host:DB_HOST\n      environment: [AWS_METADATA_LOAD=false]"
        ),
        "two-services",
    ),
    case(TWO.replace("COMMAND", "-m -l example.db.host:DB_HOST --deadline 60 --debug")),
    # It is told by its name, or by its image's.
    case(changed("net: host", "net: bridge"), "net @ net: bridge"),
    case(changed("      net: host\n", ""), "net @ ec2-metadata:"),
    *(
        case(
            changed(
                f"    ec2-metadata:\n      image: {IMAGE}", f"    tags:\n      image: {image}"
            ).replace("net: host", "net: bridge"),
            *found,
        )
        for image, found in ((IMAGE, ["net"]), ("other:ec2-metadata", []))
    ),
    # The program of 2016, by image or by name.
    *cases(
        with_service,
        """
image: rancher/os-amazon-metadata:v0.9.2  #< amazon-metadata: take the service out
image: registry.example.com:5000/mine/os-amazon-metadata  #< amazon-metadata
image: docker.io/deadroot/rancheros-ec2-metadata@sha256:0  #< amazon-metadata
image: deadroot/rancheros-ec2-metadata-fork:1  #< amazon-metadata
image: Rancher/OS-Amazon-Metadata:V1  #< amazon-metadata
image: burmilla/os_amazon_metadata  #< amazon-metadata
""",
    ),
    *parts(
        with_service,
        """
image: mine/rancheros-ec2-metadata:1.0.0  #< amazon-metadata
privileged: true
volumes: ["/usr/bin/ros:/bin/ros:ro"]
""",
    ),
    case(
        changed(ROS, "/usr/bin/ros:/bin/ros:ro").replace("net:", "privileged: true\n      net:"),
        "privileged",
    ),
    *parts(
        lambda text: f"{GOOD}{text}\n",
        """
    amazon-metadata: {image: "a:1"}  #< amazon-metadata

  services_include:
    https://x/amazon-metadata.yml: yes  #< amazon-metadata: set amazon-metadata: false
    https://x/deadroot/rancheros-ec2-metadata/master/a.yml: true  #< amazon-metadata
    amazon-metadata: true  #< amazon-metadata
    other: true

  services_include: {amazon-metadata: false}
""",
    ),
    case(in_service_file("image: rancher/os-amazon-metadata"), "amazon-metadata"),
]

OLD = GOOD.replace(":/host/", ":/")
MOUNTS = [
    *(
        case(changed(f"        - {mount}\n", ""), "mounts @ volumes:", said=f"add {mount}")
        for mount in re.findall(r"- (/.+)\n", GOOD)
    ),
    case(GOOD[: GOOD.index("      volumes:")], *["mounts @ ec2-metadata:"] * 4),
    case(
        OLD,
        "mounts @ - /var/lib/rancher/conf:/var/lib/rancher/conf",
        "mounts @ - /etc/docker:/etc/docker:ro",
        said="mount it as /var/lib/rancher/conf:/host/var/lib/rancher/conf alone",
    ),
    *cases(
        with_volume,
        """
/var/lib/rancher:/host/var/lib/rancher
/:/host
/var/lib/rancher/conf/:/host/var/lib/rancher/conf:rw
""",
    ),
    *(
        case(with_volume(volume), "mounts", said=said)
        for volume, said in (
            ("/mine:/host/var/lib/rancher/conf", "add /var/lib/rancher/conf:/host/var/lib"),
            ("/var/lib/rancher/conf", "add"),
            ("conf:/host/var/lib/rancher/conf", "add"),
            ("':::'", "add"),
            ("/var/lib/rancher/conf:/host/var/lib/rancher/conf:z,ro", "it can write nothing"),
            (
                "/:/host\n        - /var/lib/rancher/conf:/var/lib/rancher/conf",
                "mount it as /var/lib/rancher/conf:/host",
            ),
        )
    ),
    case(with_command(" [--env-file, /var/lib/rancher/conf/ec2.env]")),
    case(with_command(" [--env-file, /opt/app/a]"), "mounts", said="add /opt/app:/host/opt/app"),
    case(with_command(" [--nonsense, --env-file, /opt/app/a]"), "command", "mounts"),
    case(with_command(" [--ros, /ros]"), "mounts"),
    case(changed(ROS, "/usr/bin/ros:/ros:ro", with_command(" [--ros, /ros]"))),
    case(changed(f"        - {ROS}\n", "", with_command(" [--ros, none]"))),
    case(changed(ROS, "/usr/bin/ros:/bin/ros:ro")),
    case(changed(ROS, "/usr/bin/ros:/ros:ro"), "mounts"),
    case(changed(f"        - {ROS}\n", "") + "      volumes_from: [command-volumes]\n"),
    case(with_volume("/a:/a") + "      volumes_from: [command-volumes]\n", "mounts"),
]

SETTINGS = [
    *cases(
        lambda text: with_command(f" {text}"),
        """
-m -l no-target  #< command: 'no-target'
--nonsense  #< command: --nonsense
word  #< command: word
--version  #< command: --version
-mh  #< command: --help
apply --deadline soon  #< command: 'soon'
plan -m  #< command: the command plan
demo  #< command: sets no label
-t  #< command: expected one argument
-t -1  #< swarm-constraint: Swarm mode can
it's  #< wrong-type: close its quotes

-m
apply -t ''
clean --legacy
-l a:b:C
-mt docker.
""",
    ),
    case(with_command("\n      - -m\n      - -l\n      - example"), "command @ - example"),
    # A flag overrides a variable.
    case(with_command(" --deadline 9\n      environment: [AWS_METADATA_DEADLINE=soon]")),
    # What is wrong with one hides nothing of the others.
    *parts(
        lambda text: with_command(text.removeprefix("      command:")),
        """
      command:
      - plan  #< command: the command plan
      - -t
      - 1docker.  #< swarm-constraint
      - --deadline
      - soon  #< command
      - -m
      - word  #< command
      - --set A={A}  #< command
      - --set B={  #< command  #< command
      environment:
      - AWS_METADATA_LOAD=perhaps  #< command
      - AWS_METADATA_TAGS=none
      restart: always  #< restart
""",
    ),
    *cases(
        lambda text: with_command(f"\n      - -m\n      - {text}"),
        """
-l example.db.host:DB_HOST  #< command: make an item of each word
--require-tag docker.role  #< command: make an item of each word
""",
    ),
    *parts(
        lambda text: f"{GOOD}{text}\n",
        """
      environment: [A]
  environment:
    AWS_METADATA_DEBUG: "true"  #< setting: no service of this program names AWS_METADATA_DEBUG

      environment: ["AWS_METADATA_T*"]
  environment:
    AWS_METADATA_DEBUG: "true"  #< setting: name it there

      environment: [AWS_METADATA_DEBUG]
  environment:
    AWS_METADATA_DEBUG: "true"

      environment: ["AWS_METADATA_*"]
  environment:
    AWS_METADATA_DEBUG: "true"

      environment: [AWS_METADATA_DEADLINE]
  environment:
    ec2-metadata/AWS_METADATA_DEADLINE: "soon"  #< command: 'soon'

      environment: [AWS_METADATA_DEADLINE]
  environment:
    AWS_METADATA_DEADLINE: "soon"  #< command: 'soon'

      environment:
      - AWS_METADATA_SET=A={  #< command: '{'

      environment:
        AWS_ENDPOINT_URL_EC2: ec2  #< command: not an http:// or https:// address

      environment:
      - AWS_METADATA_TAG_PREFIX  #< setting: write AWS_METADATA_TAG_PREFIXES

  environment:
    AWS_METADATA_TAG_PREFIX: a.  #< setting: write AWS_METADATA_TAG_PREFIXES
""",
    ),
]

DOCKER = [
    *cases(
        with_item,
        """
"--label=''a.b=c"
"--label=''a.b='c"  #< docker-arguments: an open '
--label=motto=hello world  #< docker-arguments: is two words
"--label={a=b,c=d}"  #< docker-arguments: braces
--label=zone=$AWS_REGION  #< docker-arguments: do not see rancher.environment
--label=ip=$public_ipv4  #< docker-arguments: $public_ipv4 without quotes
--cluster-advertise=$private_ipv4:2376  #< docker-arguments: <nil>
"--label='$private_ipv4'"  #< docker-labels: '$private_ipv4' has no =
--label=a.b=1 --debug
--log-opt max-size=25m
'--label="a.b=x y"'
--label a.b=1
--a=$HOSTNAME
'--label="ip=$public_ipv4"'
--label
'--label="$(hostname)=x"'
--x=(y  #= v0.5.0
--label=ip=$public_ipv4  #= v0.5.0
--label=role  #< docker-labels: has no =
--label=role  #< docker-labels  #= v0.5.0
--label=com.docker.x=1  #< docker-labels: a namespace of Docker's own
""",
    ),
    *parts(
        with_docker,
        """
extra_args:
- --label
- ORG.dockerproject.x=1  #< docker-labels

extra_args:
- --label=a.b=1
- --debug
- --label=a.b=2  #< docker-labels: twice, with different values

extra_args:
- (  #< docker-arguments
- --label a.b=1 --label a.b=2  #< docker-labels

extra_args: [--label=a.b=1, --label=a.b=1]
""",
    ),
]

TAGS = [
    *cases(
        with_prefix,
        """
team/  #< swarm-constraint: no constraint of Swarm can name it
1docker.  #< swarm-constraint: Swarm mode can
docker.
""",
    ),
    case(with_command(" [-t, '']")),
    *cases(
        with_item,
        """
--label=team/role=x  #< swarm-constraint: its key has other
--label=z=x  #< swarm-constraint: Swarm mode can
--label=role=web,api  #< swarm-constraint: its value has ','
--label=role=  #< swarm-constraint: its value is empty
"--label='role=a:b-c_d.e*f(g)h?i+j[k]l^m$n|o/p q'"
--label=role=$(hostname)
""",
    ),
]

OTHERS = [
    *(
        case(with_file(content, DAEMON_JSON, encoding), f"daemon-json @ - path: {DAEMON_JSON}")
        for content, encoding in ((LABELLED, ""), (packed(LABELLED), "gz+b64"))
    ),
    case(with_file('{"debug": true}', DAEMON_JSON)),
    case(with_file(LABELLED, DAEMON_JSON) + f"- path: {DAEMON_JSON}\n  content: '{{}}'\n"),
    case(with_file(LABELLED, DAEMON_JSON) + "  container: other\n"),
    *cases(
        lambda text: f"{GOOD}runcmd:\n- [touch, /a]\n- {text}\n- [touch, /b]\n",
        """
[ros, config, set, rancher.docker.tls, "true"]  #< runcmd: under rancher.docker
"ros config merge <<E\\nrancher:\\n  docker:\\n"  #< runcmd: mentions rancher: docker:
cat /etc/docker/daemon.json
""",
    ),
    *(
        case(with_file("ros config set rancher.docker.tls true", path), *found)
        for path, found in (
            ("/etc/rc.local", ["runcmd @ - path: /etc/rc.local"]),
            ("/opt/rancher/bin/start.sh", ["runcmd @ - path: /opt/rancher/bin/start.sh"]),
            ("/root/x.sh", []),
        )
    ),
    *parts(
        lambda text: f"#!/bin/sh\n{text}\n",
        """
: [

ros config set rancher.docker.extra_args "[--debug]"  #< runcmd: mentions rancher.docker

printf '{rancher: {docker: {tls: true}}}' | ros config merge  #< runcmd

echo 'DOCKER_OPTS="--label a=b"' >/var/lib/rancher/conf/docker  #< runcmd

echo '{"labels": ["a=b"]}' >/etc/docker/daemon.json  #< runcmd: mentions daemon.json

echo '{}' >/etc/docker/daemon.json
""",
    ),
    case("#!/bin/sh\nros config merge <<E\nrancher:\n  docker:\n    tls: true\nE\n", "runcmd"),
]


@pytest.mark.parametrize(
    "case", [*LOADING, *KEYS, *OUR_SERVICE, *MOUNTS, *SETTINGS, *DOCKER, *TAGS, *OTHERS]
)
def test_what_is_found(case: Case) -> None:
    findings = check(case.text, case.release)
    lines = case.text.splitlines() or [""]
    assert [one.rule for one in findings] == [rule for rule, _ in case.found]
    for one, (_, line) in zip(findings, case.found, strict=True):
        assert lines[one.line - 1].endswith(line)
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


def test_bytes_that_are_no_text_are_not_read() -> None:
    assert [finding.rule for finding in check(b"#cloud-config\nhostname: \xff\n")] == ["not-read"]
