"""The fuzzer of the expression languages; it runs by hand, not in CI."""
