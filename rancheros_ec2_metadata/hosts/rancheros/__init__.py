"""RancherOS and BurmillaOS: labels in Docker's argument lists, variables in rancher.environment."""
