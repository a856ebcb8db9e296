"""How a webhook's sender proves itself: every scheme with the right, the wrong and no proof."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook
from webhook_rig import open_rig

from gateway.sources.verify import Verify
from gateway.sources.verify.verdict import Arrival, Forged, Genuine

BODY = b'{"id": 1}'
WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD_WHSEC = "whsec_" + base64.b64encode(b"o" * 32).decode()
VERIFY = TypeAdapter(Verify)


def judged(settings: dict, headers: dict[str, str], body: bytes = BODY) -> Genuine | Forged:
    """The verdict about a request with these headers."""
    arrival = Arrival("POST", "/", {k.lower(): v for k, v in headers.items()}, "", body)
    return VERIFY.validate_python(settings).check(arrival)


def hexed(secret: str, algorithm: str = "sha256", body: bytes = BODY) -> str:
    """An HMAC in hex."""
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def signed(secret: str, *, age: timedelta = timedelta(), body: bytes = BODY) -> dict[str, str]:
    """The headers of a Standard Webhook of that age."""
    at = datetime.now(UTC) - age  # noqa: TID251 - the library reads the system's clock
    return {
        "webhook-id": "m1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("m1", at, body.decode()),
    }


def made(headers) -> dict[str, str]:
    """The headers of a case; those that carry a time are made when the case runs."""
    return headers() if callable(headers) else headers


def basic(pair: str) -> dict[str, str]:
    """The header of a name and a password."""
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


GITHUB = {"type": "github", "secret": "s"}
HMAC = {"type": "hmac", "secret": "s", "header": "X-Signature"}
STANDARD = {"type": "standard-webhooks", "secret": WHSEC}
BEARER = {"type": "bearer", "token": "t"}
BASIC = {"type": "basic", "username": "u", "password": "p:w"}
BASE64_HMAC = base64.b64encode(hmac.digest(b"s", BODY, hashlib.sha512)).decode()


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        (GITHUB, {"X-Hub-Signature-256": "sha256=" + hexed("s")}),
        (GITHUB, {"X-Hub-Signature-256": "sha256=" + hexed("s").upper()}),
        ({**GITHUB, "secret": ["new", "s"]}, {"X-Hub-Signature-256": "sha256=" + hexed("s")}),
        (HMAC, {"x-signature": hexed("s")}),
        ({**HMAC, "algorithm": "sha1", "prefix": "v="}, {"x-signature": "v=" + hexed("s", "sha1")}),
        ({**HMAC, "algorithm": "sha512", "encoding": "base64"}, {"x-signature": BASE64_HMAC}),
        (STANDARD, lambda: signed(WHSEC)),
        (STANDARD, lambda: signed(WHSEC, age=timedelta(minutes=4))),
        ({**STANDARD, "secret": [OLD_WHSEC, WHSEC]}, lambda: signed(WHSEC)),
        (
            STANDARD,
            lambda: {
                **signed(WHSEC),
                "webhook-signature": "v2,eHg= " + signed(WHSEC)["webhook-signature"],
            },
        ),
        (BEARER, {"Authorization": "Bearer t"}),
        ({**BEARER, "token": ["x", "t"]}, {"Authorization": "bearer t"}),
        (BASIC, basic("u:p:w")),
    ],
)
def test_the_right_proof_is_genuine(settings, headers) -> None:
    """Each scheme takes what it should, and any of several secrets while one is replaced."""
    assert judged(settings, made(headers)) == Genuine()


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        (GITHUB, {}),
        (GITHUB, {"X-Hub-Signature-256": hexed("s")}),
        (GITHUB, {"X-Hub-Signature-256": "sha256=" + hexed("other")}),
        (GITHUB, {"X-Hub-Signature-256": "sha256="}),
        (GITHUB, {"X-Hub-Signature-256": "sha256=" + hexed("s", body=b"other")}),
        (HMAC, {"x-signature": "\xe9"}),
        ({**HMAC, "encoding": "base64"}, {"x-signature": hexed("s")}),
        (STANDARD, {}),
        (STANDARD, lambda: signed(OLD_WHSEC)),
        (STANDARD, lambda: signed(WHSEC, body=b"other")),
        (STANDARD, lambda: signed(WHSEC, age=timedelta(minutes=6))),
        (STANDARD, lambda: signed(WHSEC, age=timedelta(minutes=-6))),
        (STANDARD, lambda: {**signed(WHSEC), "webhook-id": "m2"}),
        (STANDARD, lambda: {**signed(WHSEC), "webhook-signature": "v1"}),
        (STANDARD, lambda: {**signed(WHSEC), "webhook-signature": "v1,*"}),
        (STANDARD, lambda: {**signed(WHSEC), "webhook-timestamp": "soon"}),
        (BEARER, {}),
        (BEARER, {"Authorization": "t"}),
        (BEARER, {"Authorization": "Bearer tt"}),
        (BEARER, basic("u:p:w")),
        (BASIC, basic("u:p")),
        (BASIC, {"Authorization": "Basic u:p:w"}),
    ],
)
def test_the_wrong_proof_is_forged(settings, headers) -> None:
    """Whatever is missing, malformed, too old or of another secret is refused with a reason."""
    verdict = judged(settings, made(headers))
    assert isinstance(verdict, Forged)
    assert verdict.reason


@given(
    st.binary(max_size=64), st.text(max_size=64), st.sampled_from([GITHUB, HMAC, STANDARD, BASIC])
)
def test_no_request_breaks_a_check(body: bytes, text: str, settings) -> None:
    """Any bytes and any header values come to a verdict, and none of them is believed."""
    names = ("x-hub-signature-256", "x-signature", "authorization", "webhook-id")
    headers = dict.fromkeys((*names, "webhook-timestamp", "webhook-signature"), text)
    assert isinstance(judged(settings, headers, body), Forged)


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "github"},
        {"type": "github", "secret": ""},
        {"type": "github", "secret": []},
        {"type": "github", "secret": ["s", ""]},
        {"type": "standard-webhooks", "secret": "whsec_"},
        {"type": "standard-webhooks", "secret": "whsec_a"},
        {"type": "standard-webhooks", "secret": "whsec_not base64!"},
        {"type": "hmac", "secret": "s"},
        {"type": "hmac", "secret": "s", "header": "x", "algorithm": "md5"},
        {"type": "basic", "username": "a:b", "password": "p"},
        {"type": "sns", "topics": []},
        {"type": "sns", "topics": ["orders"]},
        {"type": "none"},
    ],
)
def test_settings_that_cannot_work_are_problems(settings) -> None:
    """`check` finds them: an empty secret would let everybody in."""
    with pytest.raises(ValidationError):
        VERIFY.validate_python(settings)


def test_secrets_do_not_show() -> None:
    """Neither printing the settings nor their JSON gives a secret away."""
    settings = VERIFY.validate_python({"type": "github", "secret": "hush-hush"})
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"


async def test_a_forged_request_is_answered_401() -> None:
    """The sender hears why, nothing is delivered; a scheme of HTTP's own is asked for."""
    async with open_rig() as rig, rig.source(verify=BEARER):
        answer = await rig.http.post("/hooks/orders", json={})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert rig.trigger.batches == []
        headers = {"Authorization": "Bearer t"}
        answer = await rig.http.post("/hooks/orders", json={}, headers=headers)
        assert answer.status_code == 202


async def test_the_signature_is_over_the_raw_bytes() -> None:
    """A body that is no JSON is judged first (401), and parsed only when it is genuine (400)."""
    async with open_rig() as rig, rig.source(verify=GITHUB):
        headers = {"content-type": "application/json"}
        forged = await rig.http.post("/hooks/orders", content=b"{", headers=headers)
        headers["x-hub-signature-256"] = "sha256=" + hexed("s", body=b"{")
        genuine = await rig.http.post("/hooks/orders", content=b"{", headers=headers)
        assert [forged.status_code, genuine.status_code] == [401, 400]
