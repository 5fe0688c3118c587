"""The keys that RancherOS knows below ``rancher``; it drops others without a word.

From the CloudConfig structure and the schema of rancher/os and burmilla/os (config/types.go,
config/schema.go), of all releases: what one of them has is no mistake.
"""

from __future__ import annotations

RANCHER = frozenset(
    {
        *("autoformat", "autologin", "bootstrap", "bootstrap_containers", "bootstrap_docker"),
        *("cloud_init", "cloud_init_services", "console", "debug", "default_network", "defaults"),
        *("disable", "docker", "environment", "force_console_rebuild", "http_load_retries"),
        *("hypervisor_service", "log", "modules", "network", "no_sharedroot", "password"),
        *("preload_wait", "recovery", "registry_auths", "repositories", "resize_device"),
        *("restart_services", "rm_usr", "services", "services_include", "shutdown_timeout", "ssh"),
        *("state", "sysctl", "system_docker", "upgrade"),
    }
)
DOCKER = frozenset(
    {
        *("args", "bip", "bridge", "ca_cert", "ca_key", "config_file", "containerd", "data_root"),
        *("debug", "engine", "environment", "exec", "exec_root", "extra_args", "graph", "group"),
        *("host", "insecure_registry", "live_restore", "log_driver", "log_opts", "pid_file"),
        *("registry_mirror", "restart", "selinux_enabled", "server_cert", "server_key"),
        *("storage_context", "storage_driver", "tls", "tls_args", "userland_proxy"),
        "userns_enabled",
    }
)

# Maps that RancherOS, or the image, puts something into. A null in their place takes all of it out.
MAPS = (
    ("rancher",),
    ("rancher", "docker"),
    ("rancher", "environment"),
    ("rancher", "network"),
    ("rancher", "services"),
    ("rancher", "services_include"),
    ("rancher", "sysctl"),
    ("rancher", "system_docker"),
)
