"""JSONata as AWS speaks it: parsed by jsonata-python, compiled once to closures.

The library's parser, its pictures of numbers and dates and its error sentences are used; its
evaluator is not, since it takes null for undefined, changes its input and cannot be bounded.
``compiler`` says which node of the tree means what, ``paths``, ``ordering``, ``operators``,
``calls`` and ``wildcards`` how it is evaluated; ``table`` names the functions; ``run`` holds the
bounds of one evaluation. ``expression`` is the way in, loaded for the first query that there is.
"""
