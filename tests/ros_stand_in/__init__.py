"""A stand-in for RancherOS's ``ros``, which answers as seven real releases do.

It stands alone, and is held against what real ones printed (tests/contract).
"""

RELEASES = ("v0.4.5", "v0.6.1", "v0.7.1", "v0.9.2", "v1.0.4", "v1.5.8", "burmilla-master")
