from __future__ import annotations

from pathlib import Path

import pytest

from rancheros_ec2_metadata.deadline import Clock, Limit
from rancheros_ec2_metadata.errors import FilesError
from rancheros_ec2_metadata.hosts.selection import choose_host, make_host
from rancheros_ec2_metadata.hosts.systemd import systemd_host
from rancheros_ec2_metadata.hosts.systemd.docker_unit import Docker
from rancheros_ec2_metadata.hosts.systemd.systemd_host import SystemdHost
from rancheros_ec2_metadata.settings import HostKind, Settings

CONF, SYSTEMD = "var/lib/rancher/conf", "run/systemd/system"


@pytest.mark.parametrize(
    ("folders", "kind", "chosen"),
    [
        ((), "auto", "rancheros"),
        ((CONF,), "auto", "rancheros"),
        ((f"host/{CONF}",), "auto", "rancheros"),
        ((CONF, SYSTEMD), "auto", "rancheros"),
        ((SYSTEMD,), "auto", "systemd"),
        (("var/lib/rancher/k3s", SYSTEMD), "auto", "systemd"),
        (("var/lib/rancher/rke2/agent", SYSTEMD), "auto", "systemd"),
        ((CONF,), "systemd", "systemd"),
        ((SYSTEMD,), "rancheros", "rancheros"),
    ],
)
def test_the_host_is_known_by_its_folders_or_named(
    tmp_path: Path, folders: tuple[str, ...], kind: HostKind, chosen: str
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    settings = Settings(root=tmp_path, host=kind)
    assert choose_host(settings) == chosen
    host = make_host(settings, Limit.after(0, Clock()))
    assert isinstance(host, SystemdHost) is (chosen == "systemd")


def test_without_systemd_a_host_that_is_named_so_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_host, "SYSTEMD", str(tmp_path / "none"))
    limit = Limit.after(0, Clock())
    with pytest.raises(FilesError, match="run it on the machine, not in a container") as raised:
        make_host(Settings(host="systemd"), limit)
    assert raised.value.status == 5
    monkeypatch.setattr(systemd_host, "SYSTEMD", str(tmp_path))
    host = make_host(Settings(host="systemd"), limit)
    assert isinstance(host, SystemdHost)
    assert isinstance(host.docker, Docker)
