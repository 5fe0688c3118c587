"""``check``: what in a cloud-config would break, or surprise, on a machine with this program."""
