"""EC2: the metadata service and the API, read."""
