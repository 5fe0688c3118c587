"""The commands: each its flags, its help with examples, and what it does."""

# Commands that a service runs at boot. The boot waits for them, so the supervisor ends them at the
# deadline. They are listed here, not in `options`: `__main__` needs them before other imports.
AT_BOOT = ("apply", "clean")
