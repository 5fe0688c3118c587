"""Hosts: what reads and writes the configuration of a machine."""
