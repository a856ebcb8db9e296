"""The AWS wire protocol of Step Functions, driven by the service model that botocore ships."""
