"""EC2 tags and metadata into RancherOS's configuration, before user Docker starts."""

import sys

__version__ = "1.0.0"
PROGRAMS = ("rancheros-ec2-metadata", "ec2-docker-labels")
"""The names of the program; the second is for hosts that are no RancherOS."""


def called_as() -> str:
    """Return the name in the program's texts: the one of its names that it was called by.

    A file ``ec2-docker-labels-1.0.0.pyz`` counts as that name; what is neither as the first.
    """
    file = sys.argv[0].rpartition("/")[2]
    return next((name for name in PROGRAMS if file.startswith(name)), PROGRAMS[0])
