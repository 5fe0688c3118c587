"""RancherOS: its layers, releases and files."""
