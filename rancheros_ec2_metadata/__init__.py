"""Writes EC2 tags and metadata into the configuration of a machine, before user Docker starts.

The machine runs RancherOS, or a Linux with systemd.
"""

import sys

__version__ = "1.0.0"
PROGRAMS = ("rancheros-ec2-metadata", "ec2-docker-labels")
"""The names of the program; the second is for hosts that are no RancherOS."""


def called_as() -> str:
    """Return the name for messages: the one by which the program was called.

    A file ``ec2-docker-labels-1.0.0.pyz`` counts as ``ec2-docker-labels``. Any other name counts as
    the first.
    """
    file = sys.argv[0].rpartition("/")[2]
    return next((name for name in PROGRAMS if file.startswith(name)), PROGRAMS[0])
