"""From a message to a start: filter, name, input."""
