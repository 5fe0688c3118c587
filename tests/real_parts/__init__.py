"""Real parts for tests: a network namespace, dockerd, moto; see CONTRIBUTING on running them."""
