"""A shell in which a test does what a person would: one block of commands after the other."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Timer

SECONDS = 60.0
"""What takes longer hangs."""
_END = "-- end of the block:"


class Shell:
    """Bash in a directory; what a block exports or leaves in the background is there afterwards."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._errors = (directory / "shell.err").open("ab+")
        self._bash = subprocess.Popen(
            ["bash"],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            # A profile of whoever runs the tests would say where AWS is.
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        )

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        with self._errors, suppress(BrokenPipeError), self._bash:
            self._type("kill $(jobs -p) 2>/dev/null; wait; exit\n")

    def run(self, block: str) -> str:
        """What the block prints. AssertionError where its last command fails, or it hangs."""
        hanging = Timer(SECONDS, self._bash.kill)
        hanging.start()
        try:
            return self._run(block)
        finally:
            hanging.cancel()

    def _run(self, block: str) -> str:
        # The newline ends a last line that has none.
        self._type(f"{block}\nprintf '\\n{_END} %d\\n' $?\n")
        printed: list[str] = []
        assert self._bash.stdout is not None
        for line in self._bash.stdout:
            if line.startswith(_END):
                code = line.removeprefix(_END).strip()
                assert code == "0", f"{block}\nended with {code}\n{''.join(printed)}{self._said()}"
                return "".join(printed).removesuffix("\n")
            printed.append(line)
        raise AssertionError(f"{block}\nended the shell\n{self._said()}")

    def _type(self, text: str) -> None:
        assert self._bash.stdin is not None
        self._bash.stdin.write(text)
        self._bash.stdin.flush()

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")
