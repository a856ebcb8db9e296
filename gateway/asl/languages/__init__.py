"""The query languages: how data goes into a state and out of it, and what its fields may hold.

``language`` says what one is, ``jsonpath`` and ``jsonata`` are the two that there are.
"""
