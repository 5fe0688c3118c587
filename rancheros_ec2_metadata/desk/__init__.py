"""Off the machine: EC2 read by its API, and user-data or a copy of a disk in a disk's place."""
