"""``python -m rancheros_ec2_metadata``."""

from rancheros_ec2_metadata.cli import console

if __name__ == "__main__":
    console()
