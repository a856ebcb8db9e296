"""The SDK for Java's names, each with the name in the model that it is made of."""

from __future__ import annotations

import pytest

from gateway.aws.catalogue import read_actions, read_catalogue
from gateway.aws.java_names import exception_name, member_name, service_name


@pytest.mark.parametrize(
    ("service_id", "java"),
    [
        ("SFN", "Sfn"),
        ("DynamoDB", "DynamoDb"),
        ("S3", "S3"),
        ("EC2", "Ec2"),
        ("CloudWatch Logs", "CloudWatchLogs"),
        ("Secrets Manager", "SecretsManager"),
        ("SESv2", "SesV2"),
        ("ApiGatewayV2", "ApiGatewayV2"),
        ("Elastic Load Balancing v2", "ElasticLoadBalancingV2"),
        ("WAFV2", "Wafv2"),
        ("Config Service", "Config"),
        ("Database Migration Service", "DatabaseMigration"),
        ("IoT Data Plane", "IotDataPlane"),
    ],
)
def test_services(service_id, java):
    """What errors of a service begin with."""
    assert service_name(service_id) == java


@pytest.mark.parametrize(
    ("name", "java"),
    [
        ("TableName", "TableName"),
        ("stateMachineArn", "StateMachineArn"),
        ("ETag", "ETag"),
        ("DBInstanceIdentifier", "DbInstanceIdentifier"),
        ("SSEKMSKeyId", "SsekmsKeyId"),
        ("MD5OfMessageBody", "Md5OfMessageBody"),
        ("S", "S"),
        ("SS", "Ss"),
        ("BOOL", "Bool"),
        ("NULL", "Nul"),
    ],
)
def test_members(name, java):
    """An acronym in front becomes a word; the rest stays as it is."""
    assert member_name(name) == java


@pytest.mark.parametrize(
    ("shape", "java"),
    [
        ("NoSuchKey", "NoSuchKeyException"),
        ("ResourceNotFoundException", "ResourceNotFoundException"),
        ("DBInstanceNotFoundFault", "DbInstanceNotFoundException"),
        ("InvalidToken", "InvalidTokenException"),
    ],
)
def test_exceptions(shape, java):
    """Every one ends as an exception does."""
    assert exception_name(shape) == java


def test_the_catalogue_has_every_service():
    """Under the names in Resources, each with botocore's own and its actions."""
    catalogue = read_catalogue()
    assert len(catalogue) > 300
    wanted = {"sfn": "stepfunctions", "cloudwatchlogs": "logs", "eventbridge": "events"}
    assert {name: catalogue[name].botocore for name in wanted} == wanted
    actions = read_actions("rds")
    assert actions["describeDBInstances"] == "DescribeDBInstances"
