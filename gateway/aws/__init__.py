"""Calls to AWS services, over trio: what sources, sinks and tasks share."""
