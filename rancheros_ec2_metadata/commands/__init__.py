"""The commands: each its flags, its help with examples, and what it does."""

# Those that are run as the service's command: a boot waits for them, so the supervisor ends them.
# Here, and not in `options`: `__main__` looks before it imports anything.
AT_BOOT = ("apply", "clean")
