"""JSONPath as AWS speaks it: Jayway's language, parsed by jsonpath-ng, compiled once to closures.

``lexer`` reads Jayway's words into the tokens of jsonpath-ng's grammar, ``parser`` turns its tree into
the few kinds of ``segments``, ``selectors``, ``filters`` and ``functions`` give each of them Jayway's
meaning, and ``path`` holds what the rest of the language uses.
"""

from gateway.asl.jsonpath.path import Path, PathNotFound, compile_path

__all__ = ["Path", "PathNotFound", "compile_path"]
