"""The os-config.yml of each release, as far as a question shows it.

Source: os-config.tpl.yml at the tag of each release, with one service of many.
"""

from __future__ import annotations

from .config_structs import Series
from .loading import series_of
from .yaml_scalars import Node
from .yaml_writing import write_document

DEFAULT_ARGS = (
    *("daemon", "--log-opt", "max-size=25m", "--log-opt", "max-file=2", "-s", "overlay"),
    *("-G", "docker", "-H", "unix:///var/run/docker.sock"),
)
_TLS_ARGS = (
    "--tlsverify",
    "--tlscacert=/etc/docker/tls/ca.pem",
    "--tlscert=/etc/docker/tls/server-cert.pem",
    "--tlskey=/etc/docker/tls/server-key.pem",
    "-H=0.0.0.0:2376",
)
_ENGINES = ("", "1.12.1", "1.12.3", "1.12.6", "17.03.1-ce", "19.03.15", "")
_LOG_OPTS = {"max-size": "25m", "max-file": 2}


def os_config(release: str) -> bytes:
    """Return the os-config.yml of a release."""
    series = series_of(release)
    engine = "latest" if series == Series.BURMILLA else f"docker-{_ENGINES[series]}"
    network: dict[str, Node] = {"dns": {"nameservers": ["8.8.8.8", "8.8.4.4"]}}
    rancher: dict[str, Node] = {
        "cloud_init": {"datasources": ["configdrive:/media/config-2"]},
        "docker": _docker(series) | ({"engine": engine} if series else {}),
        "repositories": {"core": {"url": "https://raw.githubusercontent.com/rancher/os-services"}},
        "services": {"console": _console(release)},
        "state": {"fstype": "auto", "oem_fstype": "auto", "oem_dev": "LABEL=RANCHER_OEM"},
        "upgrade": {"image": "rancher/os"},
    }
    if series == Series.V0_4_5:
        rancher["default_network"] = network
        return write_document({"default_hostname": "rancher", "rancher": rancher}).encode()
    rancher["console"] = "default"
    rancher["defaults"] = {"hostname": "rancher", "docker": {"engine": engine}, "network": network}
    rancher["environment"] = {"VERSION": release, "SUFFIX": ""}
    rancher["sysctl"] = {"fs.file-max": 1000000000}
    if series >= Series.V1_0_4:
        rancher |= {"ssh": {"daemon": True}, "hypervisor_service": True}
    if series >= Series.V1_5_8:
        rancher["environment"]["REGISTRY_DOMAIN"] = "docker.io"
        rancher["upgrade"]["policy"] = "download"
    if series == Series.BURMILLA:
        rancher |= {"shutdown_timeout": 60, "http_load_retries": 6, "services_include": None}
    return write_document({"rancher": rancher}).encode()


def _docker(series: Series) -> dict[str, Node]:
    docker: dict[str, Node] = {"tls_args": list(_TLS_ARGS)}
    if series <= Series.V0_6_1:
        return docker | {"args": list(DEFAULT_ARGS)}
    host: Node = "unix:///var/run/docker.sock"
    docker |= {"group": "docker", "log_opts": dict(_LOG_OPTS)}
    docker["host"] = host if series == Series.V0_7_1 else [host]
    return docker | ({"storage_driver": "overlay"} if series < Series.V1_5_8 else {})


def _console(release: str) -> dict[str, Node]:
    return {
        "image": f"rancher/os-console:{release}",
        "environment": ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"],
        "labels": {"io.rancher.os.scope": "system", "io.rancher.os.after": "cloud-init"},
        "net": "host",
        "privileged": True,
        "volumes_from": ["all-volumes"],
    }
