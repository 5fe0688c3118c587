"""``python -m rancheros_ec2_metadata``."""

from rancheros_ec2_metadata.start import console

if __name__ == "__main__":
    console()
