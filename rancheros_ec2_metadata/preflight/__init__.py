"""``preflight``: what the next instance of an Auto Scaling group gets, and what would stop it."""
