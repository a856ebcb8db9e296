"""``stategate`` and ``python -m gateway``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from gateway.cli.app import app

    app(prog_name="stategate")


if __name__ == "__main__":
    main()
