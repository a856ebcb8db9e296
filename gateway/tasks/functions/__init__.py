"""Functions that the configuration defines: what a function's name runs, in the place of AWS's
Lambda.

``function`` is the seam, ``registry`` finds a function by the name that a task gives; each kind has
a file: ``python``, ``command``, ``endpoint`` and ``aws_lambda``.
"""
