"""Pure functions that map tags and metadata to labels, variables and config values."""
