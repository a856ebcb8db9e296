"""Intrinsic functions, ``States.Format('order-{}', $.id)``: parsed and compiled once.

``syntax`` reads a call, ``table`` says which functions there are, one file per subject says what
they do, and ``compiler`` makes the closures. A function is pure: its dice come from the scope.
"""

from gateway.asl.intrinsics.compiler import compile_intrinsic

__all__ = ["compile_intrinsic"]
