"""YAML with line numbers -> settings; every problem at once."""
