"""The configuration: YAML with line numbers, settings that are also the documentation, checks."""
