"""Loading a configuration: every kind of bad file gives its one problem with the right line."""

from __future__ import annotations

import json
import textwrap

import pytest

from gateway.config.load import load_config
from gateway.errors import ConfigError

MACHINE = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a text as ``c.yaml``, beside the definition ``m.json``, with a given environment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.json").write_text(MACHINE)

    def load(text, **environ):
        path = tmp_path / "c.yaml"
        path.write_text(textwrap.dedent(text))
        return load_config(path.relative_to(tmp_path), environ)

    return load


def problems(load, text, **environ):
    """What is wrong with the text, a line each."""
    with pytest.raises(ConfigError) as caught:
        load(text, **environ)
    return [str(problem) for problem in caught.value.problems]


def test_store_and_api_alone(load):
    """A configuration of store and api alone is one, with no variable set."""
    config = load("store: { path: x.db }\napi: { listen: 127.0.0.1:0 }\n")
    settings = config.settings
    assert (settings.region, settings.account) == ("us-east-1", "123456789012")
    assert (settings.grace, settings.store.keep) == (10.0, 90 * 86_400.0)
    assert str(settings.api.listen) == "127.0.0.1:0"
    assert config.warnings == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "machines:\nactivities:\n  a:\n"])
def test_nothing_is_enough(load, text):
    """What is left out, or has nothing after its key, has its defaults."""
    assert load(text).settings.triggers == {}


def test_whole(load, tmp_path):
    """Everything that a file says is there, read and compiled."""
    (tmp_path / "work").mkdir()
    config = load(
        """\
        account: 012345678901
        hooks: { listen: "[::1]:0", public_url: "https://hooks.example.com" }
        machines: { m: { definition: m.json } }
        activities: { pick: {} }
        triggers:
          hook:
            source: { type: webhook, path: "/x/{id}", methods: [PUT] }
            filter: { body: { a: [1] } }
            start: m
            name: $.path_parameters.id
            input: { a.$: $.body.a }
            max_running: 5
            dead_letter: { type: sqs, queue_url: "http://localhost:1/1/dlq" }
        sinks:
          s:
            to: { type: webhook, url: "http://127.0.0.1:1/", allow_private: true }
            when: [FAILED]
            machines: [m]
            message: { text.$: $.detail.name }
            retry: { first: 2s }
            give_up_after: 1h
        workers:
          w: { activity: pick, command: [python, -m, x], cwd: work }
        """
    )
    assert config.definitions == {"m": MACHINE}
    assert config.settings.account == "012345678901"
    assert config.settings.sinks["s"].retry.first == 2.0
    assert config.settings.hooks.listen.host == "::1"
    assert config.mappings["hook"].source == "webhook"
    assert config.messages["s"] is not None
    assert config.warnings == ()


def test_paths_are_relative_to_the_file(tmp_path):
    """Every path in the file is one from its directory; an absolute one stays."""
    (tmp_path / "m.json").write_text(MACHINE)
    path = tmp_path / "c.yaml"
    path.write_text(
        "store: { path: x.db }\n"
        "activities: { a: {} }\n"
        "machines: { m: { definition: m.json } }\n"
        "triggers: { k: { start: m, source: { type: kafka, brokers: [b:1], topics: [t], group: g,\n"
        "  security_protocol: SSL, ca_file: ca.pem, cert_file: /etc/cert.pem } } }\n"
        "workers: { w: { activity: a, command: [x], cwd: . } }\n"
    )
    settings = load_config(path, {}).settings
    assert settings.store.path == tmp_path / "x.db"
    assert settings.workers["w"].cwd == tmp_path
    assert settings.triggers["k"].source.ca_file == tmp_path / "ca.pem"
    assert str(settings.triggers["k"].source.cert_file) == "/etc/cert.pem"


def test_substitutions(load, tmp_path):
    """``${Name}`` in a definition is replaced; what only one side knows is a warning."""
    text = '{"StartAt":"A","States":{\n"A":{"Type":"Wait","Seconds":${N},"End":true,\n'
    (tmp_path / "s.json").write_text(text + '"Comment":"${X} ${Who} ${Flag}"}}}')
    config = load(
        """\
        machines:
          m:
            definition: s.json
            substitutions: { N: 5, Who: "${WHO}", Flag: true, Unused: 1 }
        """,
        WHO="me",
    )
    state = json.loads(config.definitions["m"])["States"]["A"]
    assert (state["Seconds"], state["Comment"]) == (5, "${X} me true")
    assert list(map(str, config.warnings)) == [
        "c.yaml:4: machines.m.substitutions.Unused: warning: ${Unused} does not occur in s.json",
        "s.json:3: warning: ${X} has no substitution and stays as it is",
    ]


TRIGGER = "machines: { m: { definition: m.json } }\ntriggers:\n"
SQS = 'source: { type: sqs, queue_url: "http://q/1/a" }'
CASES = {
    "syntax": ("a: [1\n", "c.yaml:2: no valid YAML: expected ',' or ']'"),
    "no mapping": ("- a\n", "c.yaml:1: must be a mapping with region, account"),
    "duplicate": ("store: {}\napi: {}\nstore: {}\n", "c.yaml:3: store: is written twice"),
    "unknown key": ("\nstores: {}\n", 'c.yaml:2: stores: unknown key; did you mean "store"?'),
    "unknown deep": (
        "sinks:\n  s:\n    to:\n      type: webhook\n      url: http://h/\n      secrets: x\n",
        'c.yaml:6: sinks.s.to.secrets: unknown key; did you mean "secret"?',
    ),
    "nothing near": (
        "api:\n  zzz: 1\n",
        "c.yaml:2: api.zzz: unknown key; there are credentials, insecure, list",
    ),
    "missing": ("sinks:\n  s:\n    when: [FAILED]\n", "c.yaml:2: sinks.s.to: is missing"),
    "too large": (
        TRIGGER + "  t:\n    start: m\n    source:\n      type: sqs\n"
        "      queue_url: http://q/1/a\n      batch_size: 11\n",
        "c.yaml:8: triggers.t.source.batch_size: must be at most 10",
    ),
    "unknown type": (
        TRIGGER + "  t:\n    start: m\n    source: { type: sqz }\n",
        "c.yaml:5: triggers.t.source: unknown type 'sqz'; did you mean \"sqs\"?",
    ),
    "no type": (
        TRIGGER + "  t:\n    start: m\n    source: {}\n",
        "c.yaml:5: triggers.t.source: type is missing",
    ),
    "whole adapter": (
        TRIGGER + "  t:\n    start: m\n    source: { type: kafka, brokers: [b:1], topics: [t],\n"
        "      group: g, username: x }\n",
        "c.yaml:5: triggers.t.source: username needs security_protocol",
    ),
    "optional adapter": (
        TRIGGER + f"  t:\n    start: m\n    {SQS}\n"
        "    dead_letter: { type: sqs, queue_url: http://q/1/b, regoin: x }\n",
        'c.yaml:6: triggers.t.dead_letter.regoin: unknown key; did you mean "region"?',
    ),
    "no URL": (
        "sinks:\n  s:\n    to: { type: webhook, url: nope }\n",
        "c.yaml:3: sinks.s.to.url: ",
    ),
    "no mapping below": (
        "api: [1]\n",
        "c.yaml:1: api: must be a mapping with credentials, insecure, listen",
    ),
    "no mapping of a machine": (
        "machines: { m: m.json }\n",
        "c.yaml:1: machines.m: must be a mapping with definition, substitutions",
    ),
    "an empty secret": (
        "api: { credentials: { AK: '' } }\n",
        "c.yaml:1: api.credentials.AK: must not be empty",
    ),
    "no list": (
        "sinks:\n  s:\n    to: { type: webhook, url: http://h/ }\n    when: FAILED\n",
        "c.yaml:4: sinks.s.when: must be a list",
    ),
    "status": (
        "sinks:\n  s:\n    to: { type: webhook, url: http://h/ }\n    when:\n      - DONE\n",
        "c.yaml:5: sinks.s.when[0]: must be 'RUNNING', 'SUCCEEDED'",
    ),
    "duration": ("grace: 30\n", "c.yaml:1: grace: 30 is no duration"),
    "number": ("account: 12\n", "c.yaml:1: account: does not look right: write it as 123456789012"),
    "name": ("activities:\n  a b: {}\n", "c.yaml:2: activities.a b: is no name that AWS allows"),
    "unset": (
        "\nregion: ${NOPE}\n",
        "c.yaml:2: region: the variable NOPE is not set; set it, or give it a default: ${NOPE:-def",
    ),
    "listen": ("api: { listen: 8083 }\n", "c.yaml:1: api.listen: must be host:port"),
    "no port": (
        "api: { listen: 127.0.0.1:70000 }\n",
        "c.yaml:1: api.listen: there is no port 70000",
    ),
    "bare IPv6": ("api: { listen: '::1:80' }\n", "c.yaml:1: api.listen: must be host:port"),
    "public API": (
        "\napi:\n  listen: 0.0.0.0:8083\n",
        "c.yaml:3: api.listen: 0.0.0.0:8083 can be reached by others",
    ),
    "one address": (
        "hooks: { listen: 127.0.0.1:8083 }\n" + TRIGGER + "  t:\n    start: m\n"
        "    source: { type: webhook, path: /x }\n",
        "c.yaml:1: hooks.listen: 127.0.0.1:8083 is api.listen already",
    ),
    "callbacks and the API at one address": (
        "hooks: { listen: 127.0.0.1:8083 }\n",
        "c.yaml:1: hooks.listen: 127.0.0.1:8083 is api.listen already",
    ),
    "a webhook where callbacks are": (
        TRIGGER + "  t:\n    start: m\n    source: { type: webhook, path: '/callbacks/{x}' }\n",
        "c.yaml:5: triggers.t.source.path: is where the links of tasks lead",
    ),
    "no machine": (
        TRIGGER + "  t:\n    start: mm\n    " + SQS + "\n",
        "c.yaml:4: triggers.t.start: there is no machine 'mm'; did you mean \"m\"?",
    ),
    "no activity": (
        "workers:\n  w: { activity: a, command: [x] }\n",
        "c.yaml:2: workers.w.activity: there is no activity 'a'; there are none",
    ),
    "one queue": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n  b:\n    start: m\n    {SQS}\n",
        "c.yaml:8: triggers.b.source.queue_url: the queue http://q/1/a is a's already",
    ),
    "one topic": (
        TRIGGER
        + "".join(
            f"  {n}: {{ start: m, source: {{ type: kafka, brokers: [{n}:1], group: g,"
            f" topics: [t, {n}] }} }}\n"
            for n in "ab"
        ),
        "c.yaml:4: triggers.b.source.topics: the topic t of group g is a's already",
    ),
    "one path": (
        TRIGGER
        + "".join(
            f'  {n}: {{ start: m, source: {{ type: webhook, path: "/x/{{{n}}}",'
            " methods: [POST, PUT] } }\n"
            for n in "ab"
        ),
        "c.yaml:4: triggers.b.source.path: POST /x/{} is a's already",
    ),
    "dead letter circle": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n"
        '    dead_letter: { type: sqs, queue_url: "http://q/1/a" }\n',
        "c.yaml:6: triggers.a.dead_letter.queue_url: is the trigger's own queue",
    ),
    "filter": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n    filter:\n      body:\n"
        "        total: [{ numeric: [over, 1] }]\n",
        "c.yaml:8: triggers.a.filter.body.total[0].numeric: unknown operator 'over'",
    ),
    "name expression": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n    name: body.id\n",
        "c.yaml:6: triggers.a.name: The value for the field 'name' must be a valid JSONPath",
    ),
    "JSONata": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n    name: '{{% $.id %}}'\n",
        "c.yaml:6: triggers.a.name: JSONata is not supported yet",
    ),
    "JSONata in a template": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n    input:\n      x: [1, '{{% $.id %}}']\n",
        "c.yaml:7: triggers.a.input.x[1]: JSONata is not supported yet",
    ),
    "input": (
        TRIGGER + f"  a:\n    start: m\n    {SQS}\n    input: {{ a.$: 1 }}\n",
        "c.yaml:6: triggers.a.input: The value for the field 'a.$'",
    ),
    "message": (
        "sinks:\n  s:\n    to: { type: webhook, url: http://h/ }\n    message: { a.$: b }\n",
        "c.yaml:4: sinks.s.message: The value for the field 'a.$'",
    ),
    "no definition": (
        "machines:\n  m: { definition: nope.json }\n",
        "c.yaml:2: machines.m.definition: nope.json cannot be read: No such file or directory",
    ),
    "a directory": (
        "machines:\n  m: { definition: . }\n",
        "c.yaml:2: machines.m.definition: . cannot be read: Is a directory",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_problem(load, case):
    """Each kind of mistake is one line: where it is, what is wrong, what would be right."""
    text, expected = CASES[case]
    found = [p for p in problems(load, text) if "warning" not in p]
    if case == "one path":
        assert found.pop() == "c.yaml:4: triggers.b.source.path: PUT /x/{} is a's already"
    (line,) = found
    assert line.startswith(expected)


DEFINITIONS = {
    "no JSON": ('{\n"StartAt": "A",\n', "d.json:3: no valid JSON: Expecting property name"),
    "no state": (
        '{"StartAt": "A", "States": {\n"A": {"Type": "Pass",\n"Next": "Nope"}}}',
        "d.json:3: /States/A/Next: ",
    ),
    "in a branch": (
        '{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true, "Branches": [\n'
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}},\n'
        '{"StartAt": "B", "States": {\n"B": {"Type": "Wait", "End": true,\n"Seconds": "x"}}}]}}}',
        "d.json:5: /States/P/Branches[1]/States/B/Seconds: ",
    ),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_definition(load, tmp_path, case):
    """What is wrong in a definition is shown with the definition's own file and line."""
    text, expected = DEFINITIONS[case]
    (tmp_path / "d.json").write_text(text)
    line = problems(load, "machines: { d: { definition: d.json } }\n")[0]
    assert line.startswith(expected)


def test_no_file(tmp_path):
    """A file that is not there, or no text, is a problem of its own."""
    with pytest.raises(ConfigError, match=r"nope\.yaml: cannot be read: No such file"):
        load_config(tmp_path / "nope.yaml", {})
    (tmp_path / "bad.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml: is not UTF-8: byte 3"):
        load_config(tmp_path / "bad.yaml", {})
    (tmp_path / "c.yaml").write_text("machines: { m: { definition: bad.yaml } }")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(tmp_path / "c.yaml", {})


def test_all_at_once(load):
    """All problems are shown, in the order of the lines; a bad entry hides no other's problems."""
    found = problems(
        load,
        """\
        store: { keep: soon }
        machines:
          bad: { definitions: m.json }
          gone: { definition: gone.json }
        triggers:
          a: { start: bad, source: { type: sqs } }
          b: { start: bad, source: { type: sqs, queue_url: "${UNSET}" } }
          c: { start: nobody, source: { type: sqs, queue_url: "http://q/1/a" } }
          d: { start: gone, source: { type: sqs, queue_url: "http://q/1/a" }, filter: { a: b } }
        """,
    )
    assert [line.split(": ")[:2] for line in found] == [
        ["c.yaml:1", "store.keep"],
        ["c.yaml:3", "machines.bad.definition"],
        ["c.yaml:3", "machines.bad.definitions"],
        ["c.yaml:4", "machines.gone.definition"],
        ["c.yaml:6", "triggers.a.source.queue_url"],
        ["c.yaml:7", "triggers.b.source.queue_url"],
        ["c.yaml:8", "triggers.c.start"],
        ["c.yaml:9", "triggers.d.source.queue_url"],
        ["c.yaml:9", "triggers.d.filter.a"],
    ]


ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:"
WARNINGS = {
    "UUID": (
        f"    {SQS}\n    name: States.UUID()\n",
        "c.yaml:6: triggers.t.name: warning: States.UUID",
    ),
    "time": (
        f"    {SQS}\n    name: $.received_at\n",
        "c.yaml:6: triggers.t.name: warning: received_at",
    ),
    "random": (
        f"    {SQS}\n    name: States.Format('{{}}', States.MathRandom(1, 9))\n",
        "c.yaml:6: triggers.t.name: warning: States.MathRandom can differ",
    ),
    "open webhook": (
        "    source: { type: webhook, path: /x }\nhooks: { listen: 0.0.0.0:80 }\n",
        "c.yaml:5: triggers.t.source: warning: whoever reaches 0.0.0.0:80 may send: add verify",
    ),
    "machine of the API": (
        f"    {SQS}\nsinks:\n  s:\n    to: {{ type: webhook, url: http://h/ }}\n"
        "    machines: [x]\n",
        "c.yaml:9: sinks.s.machines[0]: warning: no machine 'x' in this file; there are m",
    ),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_warning(load, case):
    """What may be meant is a warning, and the configuration is used."""
    text, expected = WARNINGS[case]
    (line,) = map(str, load(f"{TRIGGER}  t:\n    start: m\n{text}").warnings)
    assert line.startswith(expected)


def test_undeclared_activity(load, tmp_path):
    """A task of an activity that the file does not declare is a warning in the definition."""
    (tmp_path / "d.json").write_text(
        '{"StartAt": "A", "States": {\n"A": {"Type": "Task", "TimeoutSeconds": 9, "Next": "B",\n'
        f'"Resource": "{ACTIVITY}pick"}},\n'
        '"B": {"Type": "Task", "TimeoutSeconds": 9, "End": true,'
        f'"Resource": "{ACTIVITY}pack"}}}}}}'
    )
    config = load("machines: { d: { definition: d.json } }\nactivities: { pack: {} }\n")
    assert list(map(str, config.warnings)) == [
        f"d.json:3: /States/A/Resource: warning: {ACTIVITY}pick is none of this file's activities, "
        "so no worker may ever take it"
    ]


CONNECTION = "arn:aws:events:us-east-1:123456789012:connection/"


@pytest.mark.parametrize(
    ("authentication", "said"),
    [
        ({"ConnectionArn": CONNECTION + "shop/1f"}, None),
        ({"ConnectionArn": "shop"}, None),
        ({"ConnectionArn.$": "$.arn"}, None),
        (
            {"ConnectionArn": CONNECTION + "shpo/1f"},
            "connections: has no entry 'shpo', so the task fails; did you mean \"shop\"?",
        ),
    ],
)
def test_a_connection_that_is_not_there(load, tmp_path, authentication, said):
    """A task that names a connection which the file does not have is a warning; one that is chosen
    when the task runs is not."""
    given = {"ApiEndpoint": "https://h/", "Method": "GET", "Authentication": authentication}
    state = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": given}
    definition = {"StartAt": "A", "States": {"A": {**state, "End": True}}}
    (tmp_path / "d.json").write_text(json.dumps(definition))
    shop = "{ type: basic, username: u, password: p }"
    config = load(f"machines: {{ d: {{ definition: d.json }} }}\nconnections: {{ shop: {shop} }}\n")
    told = [str(warning) for warning in config.warnings]
    expected = [] if said is None else [f"d.json:1: /States/A/Resource: warning: {said}"]
    assert told == expected


@pytest.mark.parametrize(
    ("resource", "given", "said"),
    [
        (
            "sqs:sendMesage",
            {},
            "this version of Stategate has no integration for arn:aws:states:::sqs:sendMesage: the "
            'task fails; did you mean "sqs:sendMessage"?',
        ),
        (
            "kms:encrypt",
            {},
            "this version of Stategate has no integration for arn:aws:states:::kms:encrypt: the "
            'task fails; did you mean "aws-sdk:kms:encrypt"?',
        ),
        (
            "aws-sdk:dynamo:getItem",
            {},
            'there is no service dynamo for aws-sdk; did you mean "dynamodb"?',
        ),
        (
            "aws-sdk:stepfunctions:x",
            {},
            'there is no service stepfunctions for aws-sdk; did you mean "sfn"?',
        ),
        (
            "aws-sdk:s3:putobject",
            {},
            'there is no action putobject of aws-sdk:s3; did you mean "putObject"?',
        ),
        (
            "aws-sdk:s3:putObject",
            {"Bucket": "b", "Key.$": "$.k", "body": ""},
            "The field 'body' is not supported by Step Functions",
        ),
        (
            "sns:publish",
            {"TopicArn": "t"},
            "The field 'Message' is required but was missing",
        ),
    ],
)
def test_a_task_that_would_always_fail(load, tmp_path, resource, given, said):
    """Its Resource, or a name among its parameters, is a warning with what was meant."""
    state = {"Type": "Task", "End": True, "Parameters": given}
    state["Resource"] = f"arn:aws:states:::{resource}"
    (tmp_path / "d.json").write_text(json.dumps({"StartAt": "A", "States": {"A": state}}))
    config = load("machines: { d: { definition: d.json } }\n")
    assert list(map(str, config.warnings)) == [f"d.json:1: /States/A/Resource: warning: {said}"]


def test_a_task_that_is_right(load, tmp_path):
    """Nothing is said of it, nor of the Resource of a reader, which is no task's."""
    put = {
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "End": True,
        "Parameters": {"Bucket": "b", "Key.$": "$.k"},
    }  # fmt: skip
    inner = {"StartAt": "P", "States": {"P": put}}
    inner["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b"}}
    state = {"Type": "Map", "ItemReader": reader, "ItemProcessor": inner, "End": True}
    (tmp_path / "d.json").write_text(json.dumps({"StartAt": "M", "States": {"M": state}}))
    assert not load("machines: { d: { definition: d.json } }\n").warnings


def test_a_profile_that_is_not_there(load, monkeypatch):
    """A role's profile is looked for where the check runs."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    role = "arn:aws:iam::111122223333:role/audit"
    config = load(f"roles: {{ '{role}': {{ profile: audit }} }}\n")
    assert [warning.message for warning in config.warnings] == [
        "there is no profile 'audit' here; there are none"
    ]


def test_insecure_is_a_choice(load):
    """The API listens for others where the file says that it may."""
    assert load("api: { listen: 0.0.0.0:8083, insecure: true }").settings.api.insecure


@pytest.mark.parametrize("listen", ["localhost:80", "127.0.0.2:80", "'[::1]:80'"])
def test_loopback(load, listen):
    """Loopback addresses need no insecure."""
    assert load(f"api: {{ listen: {listen} }}").settings.api.listen.loopback


@pytest.mark.parametrize(
    ("text", "listens"),
    [
        ("", False),
        ("api: { listen: 127.0.0.1:0 }", False),
        ("hooks:", True),
        ("hooks: { public_url: 'https://x.example' }", True),
        (
            "machines: { m: { definition: m.json } }\n"
            "triggers: { t: { start: m, source: { type: webhook, path: /x } } }",
            True,
        ),
    ],
)
def test_who_wants_the_second_listener(load, text, listens):
    """It is for files that speak of it or have a webhook; the API alone needs none."""
    settings = load(text).settings
    assert settings.hooks_address == (settings.hooks.listen if listens else None)


def test_secrets_stay_secret(load):
    """A value that is wrong is not shown: it may be a secret."""
    found = problems(
        load,
        """\
        sinks:
          s: { to: { type: webhook, url: "https://h/", secret: "${S}" } }
        triggers:
          t: { start: m, source: { type: webhook, path: /x, verify: { type: github, secret: [] } } }
        """,
        S="hunter2",
    )
    assert not any("hunter2" in line for line in found)
