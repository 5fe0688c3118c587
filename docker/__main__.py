"""What ``python3 /app`` runs in the image."""

from rancheros_ec2_metadata.start import console

console()
