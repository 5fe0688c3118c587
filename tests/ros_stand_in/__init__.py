"""A stand-in for RancherOS's ``ros``, which answers as seven real releases do.

It reads only what a real one reads, and is held against what they printed (tests/contract).
"""
