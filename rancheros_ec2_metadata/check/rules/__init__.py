"""The rules: each a function from a file to what it finds there."""
