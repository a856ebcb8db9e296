"""What systemd hears, received on a real datagram socket."""

from __future__ import annotations

import os
import socket

import pytest
import structlog
import trio

from gateway.daemon.notify import notifier


@pytest.fixture
def manager(tmp_path):
    """Stands where systemd listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        yield listening


def received(manager):
    """The next datagram's assignments."""
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))


def test_each_stage_is_told(manager):
    """READY, STATUS, STOPPING and the extension are what sd_notify(3) says."""
    told = notifier({"NOTIFY_SOCKET": manager.getsockname()}, structlog.get_logger())
    told.ready("3 sources")
    assert received(manager) == {"READY": "1", "STATUS": "3 sources"}
    told.status("busy")
    assert received(manager) == {"STATUS": "busy"}
    told.stopping("draining")
    assert received(manager) == {"STOPPING": "1", "STATUS": "draining"}
    told.extend(1.5)
    assert received(manager) == {"EXTEND_TIMEOUT_USEC": "1500000"}


def test_a_reload_carries_its_time(manager):
    """systemd kills a Type=notify-reload service whose RELOADING=1 lacks MONOTONIC_USEC."""
    notifier({"NOTIFY_SOCKET": manager.getsockname()}, structlog.get_logger()).reloading()
    told = received(manager)
    assert told["RELOADING"] == "1"
    assert int(told["MONOTONIC_USEC"]) > 0


def test_an_abstract_socket_is_understood():
    """A leading @ stands for a null byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0stategate-test-{os.getpid()}")
        listening.settimeout(10)
        address = f"@stategate-test-{os.getpid()}"
        notifier({"NOTIFY_SOCKET": address}, structlog.get_logger()).status("here")
        assert received(listening) == {"STATUS": "here"}


async def test_the_watchdog_is_fed_twice_in_each_interval(manager, autojump_clock):
    """In 10 s with an interval of 4 s, WATCHDOG=1 is sent at 0, 2, 4, 6 and 8."""
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "4000000"}
    with trio.move_on_after(9.9):
        await notifier(environ, structlog.get_logger()).feed_watchdog()
    assert [received(manager) for _ in range(5)] == [{"WATCHDOG": "1"}] * 5
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


async def test_a_watchdog_of_another_process_is_none_of_ours():
    """WATCHDOG_PID names whom systemd watches."""
    environ = {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}
    assert notifier(environ, structlog.get_logger()).watchdog_seconds is None
    await notifier(environ, structlog.get_logger()).feed_watchdog()


def test_without_systemd_nothing_happens():
    """In a terminal there is no socket, and nothing is said to nobody."""
    notifier({}, structlog.get_logger()).ready("fine")


def test_a_manager_that_is_gone_ends_nobody(tmp_path):
    """The daemon goes on when systemd does not listen."""
    with structlog.testing.capture_logs() as logs:
        notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}, structlog.get_logger()).ready("fine")
    assert logs[0]["told"] == "READY=1"
