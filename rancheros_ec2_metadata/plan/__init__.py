"""Pure: tags, an instance and the disk as read go in, a plan comes out."""
