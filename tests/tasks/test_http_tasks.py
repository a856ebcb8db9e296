"""HTTP tasks over real HTTP: what is asked, with which credentials; what each answer becomes."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl

import pytest

from gateway.config.settings import Settings
from tests.stand_ins.server import Answer, Fault, StandIn
from tests.tasks.functions_rig import calling
from tests.tasks.test_http_functions import Endpoint

CONNECTION = "arn:aws:events:us-east-1:123456789012:connection/shop/8a6d7d0e"
BASIC = {"type": "basic", "username": "ann", "password": "pass"}
JSON = (("Content-Type", "application/json; charset=utf-8"),)


def connected(connection=None, **more):
    """Settings with the connection ``shop``."""
    settings = {"allow_private": True, **(BASIC if connection is None else connection), **more}
    return {"connections": {"shop": settings}}


def asking(url, **more):
    """The fields of a state that asks there."""
    given = {"ApiEndpoint": url, "Method": "GET", "Authentication": {"ConnectionArn": CONNECTION}}
    return {"Resource": "arn:aws:states:::http:invoke", "Parameters": {**given, **more}}


@pytest.fixture
def shop():
    """An endpoint that shows an order, and where it is."""
    endpoint = Endpoint(lambda _: Answer(200, b'{"id": 7}', (*JSON, ("X-A", "1"), ("x-a", "2"))))
    with StandIn(endpoint) as stand_in:
        yield endpoint, stand_in


async def test_the_answer_as_aws_shows_it(shop):
    """Headers in lower case with lists of values, the parsed body, status and its text."""
    endpoint, stand_in = shop
    async with calling(connected()) as rig:
        told = await rig.output(**asking(stand_in.url + "/orders/7"))
    assert told == {
        "Headers": {
            "content-type": ["application/json; charset=utf-8"],
            "content-length": ["9"],
            "x-a": ["1", "2"],
        },
        "ResponseBody": {"id": 7},
        "StatusCode": 200,
        "StatusText": "OK",
    }
    (request,) = endpoint.requests
    assert (request.method, request.path, request.body) == ("GET", "/orders/7", b"")
    assert request.headers["authorization"] == "Basic YW5uOnBhc3M="
    assert len(request.headers["idempotency-key"]) == 36


async def test_what_is_asked(shop):
    """Method, headers, query and body are the task's; those of the connection come before them."""
    endpoint, stand_in = shop
    settings = connected(headers={"X-Shop": "ours"}, query={"key": "ours"}, body={"tenant": "ours"})
    async with calling(settings) as rig:
        await rig.output(
            **asking(
                stand_in.url + "/ö?a=1",
                Method="PATCH",
                Headers={"x-shop": "theirs", "X-List": ["a", "b"], "Accept": "text/plain"},
                QueryParameters={"b": [1, True], "key": "theirs", "c": "x y&z"},
                RequestBody={"n": 1, "tenant": "theirs"},
            )
        )
    (request,) = endpoint.requests
    assert request.method == "PATCH"
    path, _, query = request.path.partition("?")
    assert path == "/%C3%B6"
    assert parse_qsl(query) == [
        ("a", "1"), ("b", "1"), ("b", "true"), ("key", "ours"), ("c", "x y&z")
    ]  # fmt: skip
    assert (request.headers["x-shop"], request.headers["x-list"]) == ("ours", "a,b")
    assert request.headers["accept"] == "text/plain"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {"n": 1, "tenant": "ours"}


@pytest.mark.parametrize(
    ("given", "body", "kind"),
    [
        ({"RequestBody": "plain", "Headers": {"content-type": "text/plain"}}, "plain",
         "text/plain"),
        ({"RequestBody": "plain"}, '"plain"', "application/json"),
        ({"RequestBody": [1, None]}, "[1,null]", "application/json"),
        ({"RequestBody": {"a": [1, 2], "b": {"c": "x y"}},
          "Transform": {"RequestBodyEncoding": "URL_ENCODED"}},
         "a[0]=1&a[1]=2&b[c]=x+y", "application/x-www-form-urlencoded"),
        *(({"RequestBody": {"a": [1, 2]}, "Transform": {"RequestBodyEncoding": "URL_ENCODED",
            "RequestEncodingOptions": {"ArrayFormat": name}}}, body,
           "application/x-www-form-urlencoded")
          for name, body in (("INDICES", "a[0]=1&a[1]=2"), ("REPEAT", "a=1&a=2"),
                             ("BRACKETS", "a[]=1&a[]=2"), ("COMMAS", "a=1,2"),
                             ("NONE", "a=[1,2]"))),
        ({"RequestBody": {"a": 1}, "Transform": {"RequestBodyEncoding": "NONE"}}, '{"a":1}',
         "application/json"),
    ],
)  # fmt: skip
async def test_how_a_body_is_written(shop, given, body, kind):
    """As JSON, as text, or as a form with each of AWS's ways to write an array."""
    endpoint, stand_in = shop
    async with calling(connected()) as rig:
        await rig.output(**asking(stand_in.url, Method="POST", **given))
    (request,) = endpoint.requests
    sent = request.body.decode()
    for code, character in (("%5B", "["), ("%5D", "]"), ("%2C", ",")):
        sent = sent.replace(code, character)
    assert (sent, request.headers["content-type"]) == (body, kind)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Answer(200, b"caf\xe9", (("Content-Type", "text/plain; charset=latin-1"),)), "café"),
        (Answer(200, b"hello"), "hello"),
        (Answer(200, b"{", JSON), "{"),
        (Answer(200, b"", JSON), ""),
        (Answer(200, b"[1]", (("Content-Type", "application/problem+json"),)), [1]),
        (Answer(200, b"x", (("Content-Type", "text/plain; charset=nonsense"),)), "x"),
    ],
)
async def test_what_a_body_is_shown_as(answer, shown):
    """JSON that says so is parsed, all else is text."""
    with StandIn(Endpoint(lambda _: answer)) as stand_in:
        async with calling(connected()) as rig:
            assert (await rig.output(**asking(stand_in.url)))["ResponseBody"] == shown


async def test_statuses_are_errors_that_retry_and_catch_match():
    """503 is tried again, 404 is caught, both by AWS's names; a redirect is not followed."""
    answers = [Answer(503), Answer(404, b"no such order"), Answer(302, b"", (("Location", "/"),))]
    endpoint = Endpoint(lambda _: answers[len(endpoint.requests) - 1])
    retry = [{"ErrorEquals": ["States.Http.StatusCode.503"], "IntervalSeconds": 1}]
    catch = [{"ErrorEquals": ["States.Http.StatusCode.404"], "Next": "P"}]
    with StandIn(endpoint) as stand_in:
        async with calling(connected()) as rig:
            caught = await rig.output(**asking(stand_in.url), Retry=retry, Catch=catch)
            row = await rig.call(**asking(stand_in.url))
    assert caught == {"Error": "States.Http.StatusCode.404", "Cause": "no such order"}
    assert (row.error, row.cause) == ("States.Http.StatusCode.302", "Found")
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF, Fault.NO_HTTP, Fault.LOST])
async def test_no_answer(fault):
    """States.Http.Socket."""
    with StandIn(Endpoint(lambda _: Answer(200))) as stand_in:
        stand_in.plan = lambda _operation, _number: fault
        async with calling(connected()) as rig:
            assert (await rig.call(**asking(stand_in.url))).error == "States.Http.Socket"


async def test_no_answer_in_time(monkeypatch):
    """After the 60 seconds that AWS waits, too."""
    monkeypatch.setattr("gateway.tasks.http_invoke._SECONDS", 0.3)
    with StandIn(Endpoint(lambda _: Answer(200))) as stand_in:
        stand_in.plan = lambda _operation, _number: Fault.HANG
        async with calling(connected()) as rig:
            row = await rig.call(**asking(stand_in.url))
    assert (row.error, row.cause) == ("States.Http.Socket", "No answer within 0.3 seconds")


async def test_an_endless_answer_is_cut():
    """It is not read to its end."""
    with StandIn(Endpoint(lambda _: Answer(200, b" " * 5_000_000))) as stand_in:
        async with calling(connected()) as rig:
            row = await rig.call(**asking(stand_in.url))
    assert row.error == "States.DataLimitExceeded"


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({"Method": "BREW"}, "BREW is none of"),
        ({"Method": 1}, "Method has to be a string"),
        ({"ApiEndpoint": "ftp://example.com/"}, "is no URL"),
        ({"ApiEndpoint": "http://ann:pass@example.com/"}, "is no URL"),
        ({"ApiEndpoint": "http://[::1/"}, "is no URL"),
        ({"ApiEndpoint": "http://127.0.0.1:99999/"}, "is no URL"),
        ({"Headers": {"Host": "x"}}, "The header Host is not the task's to set"),
        ({"Headers": {"X-Forwarded-For": "x"}}, "X-Forwarded-For"),
        ({"Headers": []}, "Headers has to be an object"),
        ({"Authentication": {}}, "ConnectionArn has to be a string"),
        ({"Authentication": {"ConnectionArn": "other"}}, "There is no connection other"),
        ({"ApiEndpoint": "http://127.0.0.1/v1/../admin"}, "may not be used for"),
        ({"ApiEndpoint": "http://127.0.0.1:81/v1/"}, "may not be used for"),
        ({"ApiEndpoint": "http://127.0.0.1.example.com/v1/"}, "may not be used for"),
    ],
)
async def test_what_cannot_be_asked(given, cause):
    """States.Runtime, with the reason; nothing goes out."""
    async with calling(connected(endpoints=["http://127.0.0.1/v1/"])) as rig:
        row = await rig.call(**asking("http://127.0.0.1/v1/", **given))
    assert row.error == "States.Runtime"
    assert cause in row.cause


async def test_a_private_address_has_to_be_allowed(shop):
    """However its name is written, and whatever the connection proves."""
    endpoint, stand_in = shop
    async with calling(connected(allow_private=False)) as rig:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            row = await rig.call(**asking(f"http://{host}:{stand_in.port}/"))
            assert row.error == "States.Http.Socket"
            assert "no public address" in row.cause
    assert endpoint.requests == []


async def test_an_api_key(shop):
    """In its header, whatever the task says of it."""
    endpoint, stand_in = shop
    key = {"type": "api_key", "name": "X-Api-Key", "value": "k"}
    async with calling(connected(key)) as rig:
        await rig.output(**asking(stand_in.url, Headers={"x-api-key": "mine"}))
    assert endpoint.requests[0].headers["x-api-key"] == "k"


async def test_nobody_in_particular(shop):
    """A connection without credentials, named by its name alone."""
    endpoint, stand_in = shop
    async with calling(connected({"type": "none"})) as rig:
        await rig.output(**asking(stand_in.url, Authentication={"ConnectionArn": "shop"}))
    assert "authorization" not in endpoint.requests[0].headers


class Authority:
    """Gives tokens at /token and shows orders to whoever has a good one."""

    def __init__(self, seconds=3600):
        self.seconds = seconds
        self.good = []
        self.forms = []

    def __call__(self, request):
        """Answer."""
        if request.path == "/token":
            self.forms.append((dict(parse_qsl(request.body.decode())), request.headers))
            self.good.append(f"t{len(self.forms)}")
            told = {"access_token": self.good[-1], "expires_in": self.seconds}
            return Answer(200, json.dumps(told).encode(), JSON)
        fine = request.headers["authorization"].removeprefix("Bearer ") in self.good
        return Answer(200 if fine else 401, b"{}", JSON)


def oauth(stand_in, **more):
    """A connection that asks there for its tokens."""
    given = {"type": "oauth", "token_url": stand_in.url + "/token", "client_id": "me"}
    return connected({**given, "client_secret": "s", "parameters": {"scope": "orders"}}, **more)


async def test_a_token_is_fetched_once(shop):
    """Client and secret in the header, the form with the grant; the token serves until it
    expires, or is refused, when a new one is fetched and the call made once more."""
    authority = Authority()
    with StandIn(Endpoint(authority)) as stand_in:
        async with calling(oauth(stand_in)) as rig:
            for _ in range(3):
                await rig.output(**asking(stand_in.url + "/orders"))
            assert len(authority.forms) == 1
            authority.good.clear()
            await rig.output(**asking(stand_in.url + "/orders"))
    assert len(authority.forms) == 2
    form, headers = authority.forms[0]
    assert form == {"grant_type": "client_credentials", "scope": "orders"}
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"me:s"


async def test_a_token_that_is_about_to_expire_is_renewed(shop):
    """One that lives shorter than the leeway is good for one call; the client may stand in the
    form."""
    authority = Authority(seconds=1)
    with StandIn(Endpoint(authority)) as stand_in:
        async with calling(oauth(stand_in, client_in="body")) as rig:
            for _ in range(2):
                await rig.output(**asking(stand_in.url + "/orders"))
    assert len(authority.forms) == 2
    form, headers = authority.forms[0]
    assert (form["client_id"], form["client_secret"]) == ("me", "s")
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "answer", [Answer(400, b'{"error": "invalid_client"}'), Answer(200, b"<html>")]
)
async def test_no_token(answer):
    """An error of the connection, without the secret; a refused call is not made again in vain."""
    with StandIn(Endpoint(lambda _: answer)) as stand_in:
        async with calling(oauth(stand_in)) as rig:
            row = await rig.call(**asking(stand_in.url + "/orders"))
    assert row.error == "Events.ConnectionResource.InvalidConnectionState"
    assert f"gives no token: it answered {answer.status}" in row.cause
    assert stand_in.calls == {"POST": 1}


async def test_a_reload_forgets_tokens(shop):
    """A changed connection has a token of its own; one that is gone is none."""
    authority = Authority()
    with StandIn(Endpoint(authority)) as stand_in:
        async with calling(oauth(stand_in)) as rig:
            await rig.output(**asking(stand_in.url + "/orders"))
            changed = Settings.model_validate(oauth(stand_in, client_in="body")).connections
            assert rig.connections.configure(changed) == ["shop"]
            assert rig.connections.configure(dict(changed)) == []
            await rig.output(**asking(stand_in.url + "/orders"))
            assert len(authority.forms) == 2
            assert rig.connections.configure({}) == ["shop"]
            assert (await rig.call(**asking(stand_in.url))).error == "States.Runtime"
