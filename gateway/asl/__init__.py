"""PURE: the Amazon States Language. Definitions become machines, stimuli become records; no I/O, no clock."""
