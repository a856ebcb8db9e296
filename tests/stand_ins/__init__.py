"""Far sides on loopback that can be restarted and made to fail call by call: SQS, SNS, webhooks.

They know of their services only what Stategate asks of them, answer real clients (boto3, any HTTP
client) over connections that are kept alive, and hold in this process what outlives their restarts.
"""
