"""What answers and refusals of AWS services look like in a task: as the SDK for Java, which AWS
itself calls with, shows them. Optimised integrations use its version 1, ``aws-sdk`` its version 2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.asl.resources import name_in_errors
from gateway.aws.failures import NoAws, NotAssumed
from gateway.aws.java_names import capital, exception_name, member_name
from gateway.tasks.members import Spelling, Unfit, named, to_document, to_parameters
from gateway.tasks.protocol import Json, TaskFailure, TaskRequest

if TYPE_CHECKING:
    from gateway.aws.connections import Reply
    from gateway.aws.operations import Answer, AwsClient, Refused

VERSION_1: Final = Spelling(capital, bytes_as_text=False)
VERSION_2: Final = Spelling(member_name, bytes_as_text=True)


class Sdk(NamedTuple):
    """How a version of the SDK speaks of one service."""

    name: str
    """What its errors begin with: SQS, Sqs."""
    label: str
    """The service in a cause: AmazonSQS, Sqs."""
    general: str
    """The error for every code that the model knows nothing of: AmazonSQSException."""
    spelling: Spelling


def version_1(name: str, label: str) -> Sdk:
    """``SQS``, ``AmazonSQS``."""
    # DynamoDB's second API has a number that its exceptions do not have.
    return Sdk(name, label, f"{label.removesuffix('v2')}Exception", VERSION_1)


def version_2(name: str) -> Sdk:
    """``Sqs``."""
    return Sdk(name, name, f"{name}Exception", VERSION_2)


async def call_service(
    client: AwsClient,
    operation: str,
    request: TaskRequest,
    sdk: Sdk,
    endpoint: str | None = None,
    complete: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
) -> tuple[dict[str, Json], Answer]:
    """The result as the SDK shows it, and the answer that it was made of; ``complete`` adds to the
    parameters that were given. Raises TaskFailure."""
    from gateway.aws.connections import Unanswered
    from gateway.aws.operations import Refused
    from gateway.http.sizes import TooLarge

    model = client.model.operation_model(operation)
    try:
        parameters = to_parameters(model.input_shape, request.input, sdk.spelling)
    except Unfit as wrong:
        cause = f"The Parameters could not be used to start the Task: [{wrong}]"
        raise TaskFailure("States.Runtime", cause) from None
    if complete is not None:
        await complete(parameters)
    for token in model.idempotent_members:
        parameters.setdefault(token, request.key)
    try:
        answer = await client.call(operation, parameters, endpoint)
    except Refused as no:
        raise _refusal(client, sdk, no) from None
    except NotAssumed as failure:
        raise TaskFailure("States.Permissions", str(failure)) from None
    except (Unanswered, NoAws) as failure:
        cause = f"Unable to execute HTTP request: {failure}"
        raise TaskFailure(f"{sdk.name}.SdkClientException", cause) from None
    except TooLarge:
        cause = (
            f"The state/task '{name_in_errors(request.resource)}' returned a result with a size"
            " exceeding the maximum number of bytes service limit."
        )
        raise TaskFailure("States.DataLimitExceeded", cause) from None
    return to_document(model.output_shape, answer.parsed, sdk.spelling) or {}, answer


def unfit_names(
    service: str, operation: str, given: Iterable[str], spelling: Spelling
) -> list[str]:
    """What is wrong with the names of parameters, before anything is called. Blocks."""
    from botocore.session import Session

    model = Session().get_service_model(service).operation_model(operation)
    return named(model.input_shape, list(given), spelling)[1]


def _refusal(client: AwsClient, sdk: Sdk, no: Refused) -> TaskFailure:
    error: dict[str, Any] = no.parsed.get("Error", {})
    code = str(error.get("Code", ""))
    known = client.error_shape(str(error.get("QueryErrorCode", ""))) or client.error_shape(code)
    name = sdk.general if known is None else exception_name(known)
    message = error.get("Message") or error.get("message") or "null"
    request_id = _request_id(no.reply)
    if sdk.spelling is VERSION_1:
        about = f"Status Code: {no.reply.status}; Error Code: {code}; Request ID: {request_id}"
        cause = f"{message} (Service: {sdk.label}; {about}; Proxy: null)"
    else:
        about = f"Status Code: {no.reply.status}, Request ID: {request_id}"
        extended = no.reply.header("x-amz-id-2")
        if extended is not None or sdk.label == "S3":
            about += f", Extended Request ID: {extended or 'null'}"
        cause = f"{message} (Service: {sdk.label}, {about}) (SDK Attempt Count: {no.attempts})"
    return TaskFailure(f"{sdk.name}.{name}", cause)


def _request_id(reply: Reply) -> str | None:
    return reply.header("x-amzn-requestid") or reply.header("x-amz-request-id")


def http_metadata(status: int, headers: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """SdkHttpMetadata and SdkResponseMetadata, which every optimised integration adds."""
    every: dict[str, list[str]] = {}
    for name, value in headers:
        every.setdefault(name, []).append(value)
    request_id = next((v for name, v in headers if name.lower() == "x-amzn-requestid"), None)
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": every,
            "HttpHeaders": dict(headers),
            "HttpStatusCode": status,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
    }
