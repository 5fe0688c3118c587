"""What ``python3 /app`` runs in the image."""

from rancheros_ec2_metadata.__main__ import console

console()
