"""``stategate`` and ``python -m gateway``."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line."""
    # What a start loads stays to the end: to look for garbage in it takes a tenth of the start.
    gc.set_threshold(100_000, 20, 20)
    from gateway.cli.app import app

    app(prog_name="stategate")


if __name__ == "__main__":
    main()
