"""Fetches the Kafka server by Maven, once, into the virtual environment that runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

KAFKA_VERSION = "3.9.1"
"""The last line that runs on Java 11 and 17 alike."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>stategate.tests</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


class NoKafka(Exception):
    """Kafka cannot be had here; the message says why."""


def kafka_jars() -> Path:
    """The directory with the server's jars, fetched if it is not there yet. Raises NoKafka."""
    java, maven = shutil.which("java"), shutil.which("mvn")
    if java is None:
        raise NoKafka("there is no `java` on the path")
    home = Path(os.environ.get("STATEGATE_KAFKA_HOME", Path(sys.prefix) / "kafka")) / KAFKA_VERSION
    if home.is_dir():
        return home
    if maven is None:
        raise NoKafka("there is no `mvn` (Maven) on the path to fetch Kafka with")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as fetched:
        _fetch(maven, Path(fetched))
        try:
            (Path(fetched) / "lib").rename(home)
        except OSError:  # another run was quicker
            if not home.is_dir():
                raise
    return home


def _fetch(maven: str, into: Path) -> None:
    (into / "pom.xml").write_text(_POM)
    command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={into / 'lib'}"],
            cwd=into,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoKafka("Maven did not fetch Kafka within 300 s") from error
    if done.returncode:
        raise NoKafka(f"Maven could not fetch Kafka {KAFKA_VERSION}: {done.stdout[-500:]}")
