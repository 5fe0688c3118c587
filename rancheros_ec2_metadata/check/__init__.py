"""``check``: whether this program's service will do its work, and RancherOS will load the file."""
