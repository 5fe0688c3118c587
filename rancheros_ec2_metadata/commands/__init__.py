"""The commands: each its flags, its help with examples, and what it does."""

# Those that are run as the service's command: a boot waits for them, so the watchdog ends them.
# Here, and not in the table: `start` looks before it imports anything.
AT_BOOT = ("apply", "clean")
