"""The commands: each its flags, its help with examples, and what it does."""
