"""The soak itself: that it sees what grows, and that a short one loses nothing."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.benchmarks.load import Connection
from tests.soak.gauges import Sample
from tests.soak.run import soak
from tests.soak.verdict import BOUNDS, WAL_MIB_MAX, growth, table

STEADY = Sample(0, 80, 70, 50, 6, 20, 32, 100, 3_000, 60, 10, 1, 0)


def samples(name, values):
    """Samples at equal distances in which one measure has these values and the others stay."""
    return [STEADY._replace(at=float(n), **{name: value}) for n, value in enumerate(values)]


@pytest.mark.parametrize("name", BOUNDS)
def test_what_grows_steadily_is_found(name):
    """Each measure that is nearly twice as large in the end, and it alone."""
    start = getattr(STEADY, name) + 100
    found = growth(samples(name, [start * (1 + n / 100) for n in range(400)]))
    [said] = [each for each in found if " grew from " in each]
    assert said.startswith(f"{name} grew")


@pytest.mark.parametrize("name", BOUNDS)
def test_what_goes_up_and_down_is_not_growth(name):
    """A warm-up, a sawtooth over the whole time and one spike are how a healthy daemon looks."""
    level = getattr(STEADY, name)
    values = [min(n, 50) / 50 * level * (1 + n % 17 / 17) / 2 for n in range(400)]
    values[390] = 2 * level
    assert growth(samples(name, values)) == []


def test_a_wal_that_once_ran_away_is_found():
    """However small it is afterwards."""
    values = [32.0] * 400
    values[7] = WAL_MIB_MAX + 1
    assert growth(samples("wal_mib", values)) == ["the WAL had 101.0 MiB"]


def test_the_table_shows_every_measure():
    """The median of each quarter and the extremes."""
    shown = table(samples("rss_mib", [80, 81, 82, 83, 84, 85, 86, 87]))
    assert "rss_mib      80.5      82.5      84.5      86.5      80.0      87.0" in shown
    assert all(name in shown for name in BOUNDS)


@pytest.mark.slow
def test_a_short_soak_loses_nothing_and_forgets_in_time(tmp_path):
    """Starts, webhooks, records, tasks and retries for a while: every end is told once, as it was
    to be; the histories fit the rows; and what is past its ``keep`` has gone meanwhile."""
    done = soak(tmp_path, 18, keep_seconds=3, rate=40, every_seconds=1)
    assert done.wrong == []
    assert done.accepted > 100
    assert max(sample.kept for sample in done.samples) < done.accepted
    assert done.samples[-1].files < 200


def test_a_refusal_does_not_spoil_the_answers_after_it():
    """The load's connection stays open after a refusal, and what comes next is read by itself."""
    answers = [
        b"400 Bad Request\r\nContent-Length: 2\r\n\r\n{}",
        b"200 OK\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve():
            accepted, _ = listener.accept()
            with accepted:
                for answer in answers:
                    accepted.recv(65_536)
                    accepted.sendall(b"HTTP/1.1 " + answer)

        server = threading.Thread(target=serve)
        server.start()
        client = Connection(f"http://127.0.0.1:{port}")
        with pytest.raises(RuntimeError):
            client.call("DescribeExecution")
        assert client.call("DescribeExecution") == {"a": 1}
        client.close()
        server.join()
