"""JSONPath as AWS speaks it: Jayway's language, parsed by jsonpath-ng, compiled once to closures.

``lexer`` and ``literals`` read Jayway's words into the tokens of jsonpath-ng's grammar, ``parser``
turns its tree into ``segments``; ``selectors``, ``filters``, ``compare`` and ``functions`` give
them Jayway's meaning; ``path`` holds what the rest of the language uses.
"""

from gateway.asl.jsonpath.path import Path, PathNotFound, compile_path

__all__ = ["Path", "PathNotFound", "compile_path"]
