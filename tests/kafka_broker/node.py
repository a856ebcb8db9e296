"""One Kafka node as a process: broker and controller, with a plain and a secured listener."""

from __future__ import annotations

import base64
import socket
import subprocess
import time
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka_broker.certificate import self_signed

USERNAME, PASSWORD = "stategate", "a-password-for-tests"
_START_SECONDS = 60


class RealKafka:
    """A KRaft node with its data in ``folder``. ``start`` returns when it answers."""

    def __init__(self, jars: Path, folder: Path) -> None:
        self._jars = jars
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        plain, secured, controller = _free_ports(3)
        self.brokers = f"127.0.0.1:{plain}"
        """``host:port`` of the plain listener."""
        self.secured_brokers = f"localhost:{secured}"
        """``host:port`` of the listener with SASL_SSL, mechanism PLAIN."""
        self.ca_file = folder / "broker.pem"
        """The certificate that the secured listener shows."""
        certificate, key = self_signed("localhost")
        self.ca_file.write_text(certificate)
        self._settings = folder / "server.properties"
        self._settings.write_text(
            _properties(plain, secured, controller, folder / "data", certificate, key)
        )
        self._format()

    def start(self) -> None:
        """Start the node, on the same ports and data as before."""
        with (self._folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._settings)), stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = (self._folder / "kafka.log").read_text(errors="replace")[-3000:]
                self.stop()
                raise RuntimeError(f"Kafka did not start:\n{tail}")

    def stop(self, *, kill: bool = False) -> None:
        """Stop the node and wait until it is gone; ``kill`` leaves it no time to say goodbye."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill() if kill else process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", "-t", cluster, "-c", str(self._settings)]
        command = self._java("kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(f"the storage could not be formatted: {done.stdout}{done.stderr}")

    def _java(self, main: str, *arguments: str) -> list[str]:
        tuning = ["-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ["java", *tuning, log, "-cp", f"{self._jars}/*", main, *arguments]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _properties(
    plain: int, secured: int, controller: int, data: Path, certificate: str, key: str
) -> str:
    """Topics are created when asked for by name: a source that did so would be found out."""
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    listener = "listener.name.secured"
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAIN://127.0.0.1:{plain},SECURED://127.0.0.1:{secured},"
        f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAIN://127.0.0.1:{plain},SECURED://localhost:{secured}",
        "listener.security.protocol.map": "PLAIN:PLAINTEXT,SECURED:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAIN",
        f"{listener}.sasl.enabled.mechanisms": "PLAIN",
        f"{listener}.plain.sasl.jaas.config": f'{login} user_{USERNAME}="{PASSWORD}";',
        f"{listener}.ssl.keystore.type": "PEM",
        f"{listener}.ssl.keystore.certificate.chain": _one_line(certificate),
        f"{listener}.ssl.keystore.key": _one_line(key),
        "log.dirs": str(data),
        "num.partitions": "1",
        "auto.create.topics.enable": "true",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # A killed node may come back as soon as it can.
        "broker.session.timeout.ms": "1500",
        "broker.heartbeat.interval.ms": "500",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _one_line(pem: str) -> str:
    return pem.strip().replace("\n", "\\n")
