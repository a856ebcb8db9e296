"""What `check` finds out about functions, workers and certificates without running anything."""

from __future__ import annotations

import sys

import pytest

from gateway.config.load import load_config
from gateway.errors import ConfigError


@pytest.fixture
def check(tmp_path):
    """The problems of one function, without the name of the file, and the warnings."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("raise SystemExit('it was run')")
    (tmp_path / "shop" / "prices.py").write_text(
        "if True:\n    import orders.late as orders\n    handler = other = lambda e, c: e\n"
        "class Handler:\n    def inner(self): hidden = 1\n"
    )
    (tmp_path / "open.py").write_text("from shop import *")
    (tmp_path / "broken.py").write_text("def handler(:")
    (tmp_path / "tool").write_text("#!/bin/sh\n")

    def check(text):
        path = tmp_path / "c.yaml"
        path.write_text(f"functions: {{ f: {{ {text} }} }}\n")
        try:
            found = load_config(path).warnings
        except ConfigError as bad:
            found = bad.problems
        said = [
            str(problem).partition("c.yaml:1: functions.f")[2].lstrip(".: ") for problem in found
        ]
        return [each.replace(str(tmp_path), "HERE") for each in said]

    return check


@pytest.mark.parametrize(
    "text",
    [
        "type: python, handler: 'shop.prices:handler'",
        "type: python, handler: shop/prices.other",
        "type: python, handler: 'shop.prices:orders'",
        "type: python, handler: 'shop.prices:Handler'",
        "type: python, handler: 'open:whatever'",
        "type: python, handler: 'prices:handler', directory: shop",
        "type: python, handler: 'pytest:main'",
        "type: command, command: [python, x.py]",
        "type: command, command: [sh, -c, 'true']",
        "type: lambda, concurrency: 5, interrupted: fail",
        "type: http, url: 'https://example.com/f'",
    ],
)
def test_what_is_there(check, text):
    """Nothing is said, and nothing was run: the package would not survive its import."""
    assert check(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type: python, handler: 'gone:handler'",
         "handler: there is no module gone in HERE, nor among what is installed"),
        ("type: python, handler: 'shop.prices:hidden'",
         "handler: HERE/shop/prices.py has no hidden"),
        ("type: python, handler: 'broken:handler'",
         "handler: warning: HERE/broken.py cannot be read as Python: invalid syntax"),
        ("type: python, handler: 'shop.prices:handler', directory: gone",
         "directory: there is no directory HERE/gone"),
        ("type: python, handler: 'shop.prices:handler', venv: gone",
         "venv: is no virtual environment: there is no HERE/gone/bin/python"),
        ("type: python, handler: handler",
         "handler: must be a module and a function in it, as shop.prices:handler"),
        ("type: command, command: [./tool]",
         "command[0]: HERE/tool is no program that can be run"),
        ("type: command, command: [no-such-tool]",
         "command[0]: there is no program no-such-tool in PATH"),
        ("type: http, url: 'http://10.0.0.1/'",
         "url: 10.0.0.1 is no public address; allow_private: true permits it"),
        ("type: http, url: 'https://example.com/', headers: { Host: x }",
         "headers: Host is set by Stategate itself; leave it out"),
        ("type: bash", "unknown type 'bash'"),
        ("type: python, handler: 'open:x', memory: 1", "memory: must be at least 32"),
        ("type: lambda, timeout: 3s", "timeout: unknown key"),
    ],
)  # fmt: skip
def test_what_is_not(check, text, said):
    """Each thing that is missing or wrong is told at its key."""
    (found,) = check(text)
    assert said in found


def test_a_virtual_environment_is_where_its_modules_are_looked_for(check, tmp_path):
    """What is installed there is found, what only the daemon has is not."""
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "wares.py").write_text("def handler(event, context): ...")
    (tmp_path / "venv" / "bin").mkdir()
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    assert check("type: python, handler: 'wares:handler', venv: venv") == []
    (found,) = check("type: python, handler: 'pytest:main', venv: venv")
    assert "there is no module pytest" in found


WORKER = "activities: {{ a: {{}} }}\nworkers: {{ w: {{ activity: a, {} }} }}\n"


@pytest.mark.parametrize(
    ("said", "path", "problem"),
    [
        ("command: [no-such-program]", "command[0]", "there is no program no-such-program in PATH"),
        ("command: [tool], env: { PATH: HERE }", "", ""),
        ("command: [/no/such]", "command[0]", "/no/such is no program that can be run"),
        ("command: [./tool], cwd: .", "", ""),
        ("command: [./plain], cwd: .", "command[0]", "HERE/plain is no program that can be run"),
        ("command: [./plain]", "", ""),
        ("command: [python], cwd: nowhere", "cwd", "there is no directory HERE/nowhere"),
        ("command: [python, -m, shop.picker]", "", ""),
    ],
)
def test_a_worker_that_cannot_start_is_told(tmp_path, said, path, problem):
    """A warning: the daemon begins without it, and finds it when it is there."""
    (tmp_path / "plain").write_text("no program")
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "c.yaml").write_text(WORKER.format(said.replace("HERE", str(tmp_path))))
    found = load_config(tmp_path / "c.yaml").warnings
    shown = [(each.path, each.message.replace(str(tmp_path), "HERE")) for each in found]
    assert shown == ([(f"workers.w.{path}", problem)] if path else [])


def test_a_missing_certificate_is_told(tmp_path):
    """A warning for each file, beside the source that waits for it."""
    (tmp_path / "pass.asl.json").write_text(
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
    )
    (tmp_path / "own.pem").write_text("")
    (tmp_path / "c.yaml").write_text(
        "machines: { m: { definition: pass.asl.json } }\n"
        "triggers:\n"
        "  t:\n"
        "    start: m\n"
        "    source:\n"
        "      { type: kafka, brokers: ['k:9092'], topics: [t], group: g, security_protocol: SSL,\n"
        "        ca_file: ca.pem, cert_file: own.pem }\n"
    )
    [warning] = load_config(tmp_path / "c.yaml").warnings
    assert warning.path == "triggers.t.source.ca_file"
    assert warning.message == f"{tmp_path / 'ca.pem'} is not there, or this user may not read it"
