"""A fake EC2 metadata service, as strict as the real one: for the demo, tests and compose."""
