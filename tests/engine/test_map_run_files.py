"""ItemReader and ResultWriter of a Distributed Map against an S3 on a real socket."""

from __future__ import annotations

import gzip

import boto3
import orjson
import pytest
from moto.server import ThreadedMotoServer

from gateway.store.sqlite import open_sqlite
from tests.engine.rig import running
from tests.engine.test_map_runs import PASS, distributed, ended, failing, start

pytestmark = pytest.mark.slow
LIST = "arn:aws:states:::s3:listObjectsV2"
GET = "arn:aws:states:::s3:getObject"
PUT = "arn:aws:states:::s3:putObject"


@pytest.fixture(scope="module")
def endpoint():
    """moto, on a free port."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint, monkeypatch):
    """A client of an empty bucket ``files``; the environment leads the daemon there, too."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="files")
    yield client
    for found in client.list_objects_v2(Bucket="files").get("Contents", ()):
        client.delete_object(Bucket="files", Key=found["Key"])
    client.delete_bucket(Bucket="files")
    client.close()


def reader(resource=GET, config=None, **parameters):
    """An ItemReader."""
    parts = {"Resource": resource, "Parameters": {"Bucket": "files", **parameters}}
    return parts if config is None else {**parts, "ReaderConfig": config}


async def run(path, definition, status="SUCCEEDED"):
    """The row of an execution that has ended, and the first map run's."""
    async with open_sqlite(path) as store, running(store) as engine:
        arn = await start(engine, definition, {})
        row = await ended(engine, arn, status)
        [map_run] = await store.map_runs(row.id)
        return row, map_run


@pytest.fixture
def path(tmp_path):
    """Of a database."""
    return str(tmp_path / "s.db")


async def test_an_object_is_read(s3, path):
    """MaxItems bounds the items; their number is known in the end."""
    s3.put_object(Bucket="files", Key="k", Body=orjson.dumps(list(range(1000))))
    config = {"InputType": "JSON", "MaxItems": 300}
    row, map_run = await run(path, distributed(PASS, ItemReader=reader(Key="k", config=config)))
    assert (orjson.loads(row.output), map_run.total) == (list(range(300)), 300)


async def test_a_listing_is_read(s3, path):
    """Each object is an item, as AWS shows it; Prefix narrows the list."""
    for key in ("x/1", "x/2", "y/1"):
        s3.put_object(Bucket="files", Key=key, Body=b"123")
    row, _ = await run(path, distributed(PASS, ItemReader=reader(LIST, Prefix="x/")))
    items = orjson.loads(row.output)
    assert [item["Key"] for item in items] == ["x/1", "x/2"]
    assert items[0].keys() == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    assert (items[0]["Size"], items[0]["StorageClass"]) == (3, "STANDARD")


async def test_an_inventory_is_read(s3, path):
    """The rows of each file that the manifest names."""
    files = {"f1": "files,k1\nfiles,k2\n", "f2": '"files","k3"\n'}
    for key, text in files.items():
        s3.put_object(Bucket="files", Key=key, Body=gzip.compress(text.encode()))
    manifest = {
        "destinationBucket": "arn:aws:s3:::files",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key",
        "files": [{"key": key} for key in files],
    }
    s3.put_object(Bucket="files", Key="m", Body=orjson.dumps(manifest))
    config = {"InputType": "MANIFEST"}
    row, _ = await run(path, distributed(PASS, ItemReader=reader(Key="m", config=config)))
    keys = [item["Key"] for item in orjson.loads(row.output)]
    assert keys == ["k1", "k2", "k3"]


LINES = b'{"n":1}\n{"n":2}\n'
LOADED = [{"n": 1}, {"n": 2}, {"n": 1}, {"n": 2}]


async def test_the_files_of_an_athena_manifest_are_read(s3, path):
    """One after the other, in the format that is named; a compressed one says so by its name."""
    s3.put_object(Bucket="files", Key="a/1", Body=LINES)
    s3.put_object(Bucket="files", Key="a/2.gz", Body=gzip.compress(LINES))
    manifest = b's3://files/a/1\n"s3://files/a/2.gz"\n'
    s3.put_object(Bucket="files", Key="m", Body=manifest)
    config = {"ManifestType": "ATHENA_DATA", "InputType": "JSONL"}
    row, _ = await run(path, distributed(PASS, ItemReader=reader(Key="m", config=config)))
    assert orjson.loads(row.output) == LOADED


async def test_an_odd_manifest_fails_the_run(s3, path):
    """What is no file in S3 is shown."""
    s3.put_object(Bucket="files", Key="m", Body=b"https://elsewhere/a\n")
    config = {"ManifestType": "ATHENA_DATA", "InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    row, _ = await run(path, distributed(PASS, ItemReader=reader(Key="m", config=config)), "FAILED")
    assert (row.error, "https://elsewhere/a" in row.cause) == ("States.ItemReaderFailed", True)


async def test_listed_files_are_loaded(s3, path):
    """LOAD_AND_FLATTEN: the items are what is in the objects, not the objects."""
    for key in ("x/1", "x/2"):
        s3.put_object(Bucket="files", Key=key, Body=LINES)
    config = {"Transformation": "LOAD_AND_FLATTEN", "InputType": "JSONL"}
    row, _ = await run(path, distributed(PASS, ItemReader=reader(LIST, config, Prefix="x/")))
    assert orjson.loads(row.output) == LOADED


MISSING = {
    "bucket": ({"Bucket": "no-such-bucket", "Key": "k"}, "NoSuchBucket"),
    "key": ({"Key": "no-such-key"}, "NoSuchKey"),
    "parameter": ({}, "Key"),
}


@pytest.mark.parametrize("what", MISSING)
async def test_what_is_not_there_fails_the_run(what, s3, path):
    """With States.ItemReaderFailed and what S3 says."""
    parameters, cause = MISSING[what]
    made = reader(config={"InputType": "JSON"}, **parameters)
    row, map_run = await run(path, distributed(PASS, ItemReader=made), "FAILED")
    assert row.error == "States.ItemReaderFailed"
    assert cause in row.cause
    assert map_run.status == "FAILED"


def read(s3, key):
    """A JSON object of the bucket."""
    return orjson.loads(s3.get_object(Bucket="files", Key=key)["Body"].read())


async def test_results_are_written(s3, path):
    """The manifest names the files; each child is described in the one of its status."""
    machine = orjson.loads(failing(ToleratedFailureCount=1, ItemsPath="$.items"))
    machine["States"]["Map"]["ResultWriter"] = {
        "Resource": PUT,
        "Parameters": {"Bucket": "files", "Prefix": "out"},
    }
    first = {"Type": "Pass", "Result": {"items": [False, True, False]}, "Next": "Map"}
    machine["States"]["First"], machine["StartAt"] = first, "First"
    row, map_run = await run(path, orjson.dumps(machine).decode())
    key = f"out/{map_run.arn.rpartition(':')[2]}/manifest.json"
    details = {"Bucket": "files", "Key": key}
    assert orjson.loads(row.output) == {
        "MapRunArn": map_run.arn,
        "ResultWriterDetails": details,
    }
    manifest = read(s3, key)
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == ("files", map_run.arn)
    files = manifest["ResultFiles"]
    assert files["PENDING"] == []
    [succeeded], [failed] = files["SUCCEEDED"], files["FAILED"]
    assert succeeded["Key"].endswith("/SUCCEEDED_0.json")
    assert failed["Key"].endswith("/FAILED_0.json")
    outputs = [orjson.loads(child["Output"]) for child in read(s3, succeeded["Key"])]
    assert outputs == [{"fails": False}] * 2
    [child] = read(s3, failed["Key"])
    assert (child["Status"], child["Error"], child["Input"]) == (
        "FAILED",
        "Custom",
        '{"fails":true}',
    )
    assert child["StateMachineArn"].endswith(":stateMachine:m/items")


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
async def test_what_was_never_started_is_pending(kind, s3, path):
    """When too many have failed, a file has the children that nobody starts any more."""
    s3.put_object(Bucket="files", Key="k", Body=b"[1,2,3,4]")
    source = reader(Key="k", config={"InputType": "JSON"})
    writer = {"Resource": PUT, "Parameters": {"Bucket": "files"}}
    fails = {"Type": "Fail", "Error": "Custom"}
    members = {"ItemReader": source, "ResultWriter": writer, "MaxConcurrency": 1}
    machine = distributed(fails, **members).replace("STANDARD", kind)
    _, map_run = await run(path, machine, "FAILED")
    files = read(s3, f"{map_run.arn.rpartition(':')[2]}/manifest.json")["ResultFiles"]
    [failed], [pending] = files["FAILED"], files["PENDING"]
    assert [child["Input"] for child in read(s3, failed["Key"])] == ["1"]
    waiting = read(s3, pending["Key"])
    assert [child["Input"] for child in waiting] == ["2", "3", "4"]
    assert {child["Status"] for child in waiting} == {"PENDING"}


FORMS = {
    "COMPACT": [[1, 2], [3]],
    "FLATTEN": [1, 2, 3],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lines", [False, True])
async def test_results_are_transformed(form, lines, s3, path):
    """COMPACT has the outputs alone, FLATTEN what is in them; JSONL one in each line."""
    s3.put_object(Bucket="files", Key="k", Body=b"[[1,2],[3]]")
    config = {"Transformation": form, "OutputType": "JSONL" if lines else "JSON"}
    writer = {"Resource": PUT, "Parameters": {"Bucket": "files"}, "WriterConfig": config}
    source = reader(Key="k", config={"InputType": "JSON"})
    row, _ = await run(path, distributed(PASS, ItemReader=source, ResultWriter=writer))
    manifest = read(s3, orjson.loads(row.output)["ResultWriterDetails"]["Key"])
    [file] = manifest["ResultFiles"]["SUCCEEDED"]
    body = s3.get_object(Bucket="files", Key=file["Key"])["Body"].read()
    assert len(body) == file["Size"]
    read_back = [orjson.loads(line) for line in body.splitlines()] if lines else orjson.loads(body)
    assert read_back == FORMS[form]


async def test_results_that_cannot_be_written_fail_the_run(s3, path):
    """With States.ResultWriterFailed."""
    s3.put_object(Bucket="files", Key="k", Body=b"[1]")
    writer = {"Resource": PUT, "Parameters": {"Bucket": "no-such-bucket"}}
    source = reader(Key="k", config={"InputType": "JSON"})
    row, _ = await run(path, distributed(PASS, ItemReader=source, ResultWriter=writer), "FAILED")
    assert row.error == "States.ResultWriterFailed"
    assert "NoSuchBucket" in row.cause
