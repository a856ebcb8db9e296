"""The activity worker processes that the daemon runs."""
