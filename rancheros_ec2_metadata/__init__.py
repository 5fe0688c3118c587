"""EC2 tags and metadata into RancherOS's configuration, before user Docker starts."""

__version__ = "1.0.0"
