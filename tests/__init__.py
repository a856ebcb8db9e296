"""Tests mirror the packages; tests/e2e starts the real daemon as a process."""
