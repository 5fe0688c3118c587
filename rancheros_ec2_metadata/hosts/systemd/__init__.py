"""Any Linux with systemd and Docker, as a host."""
