"""Calls the lab's SQS, DynamoDB and Secrets Manager as the SDKs do, and builds Lambda's events from a queue's messages."""

import json
import urllib.request


class Aws:
    def __init__(self, environment):
        self.environment = environment

    def call(self, endpoint, target, body, version):
        request = urllib.request.Request(
            self.environment[endpoint],
            data=json.dumps(body).encode(),
            headers={
                "content-type": f"application/x-amz-json-{version}",
                "x-amz-target": target,
                # The stand-ins require a signature, but do not verify it.
                "x-amz-date": "20260101T000000Z",
                "authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/x/aws4_request, SignedHeaders=host, Signature=x",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def sqs(self, action, **body):
        return self.call("AWS_ENDPOINT_URL_SQS", f"AmazonSQS.{action}", body, "1.0")

    def table(self):
        """Returns every item of the table, by partition key and sort key."""
        name = self.environment["CONNECTOR_TABLE"]
        items = self.call("AWS_ENDPOINT_URL_DYNAMODB", "DynamoDB_20120810.Scan", {"TableName": name}, "1.0")["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    def put_item(self, item):
        body = {"TableName": self.environment["CONNECTOR_TABLE"], "Item": item}
        self.call("AWS_ENDPOINT_URL_DYNAMODB", "DynamoDB_20120810.PutItem", body, "1.0")

    def secrets(self):
        """Returns the secrets that the functions read: those of the account and of the lines."""
        names = [f"account/{self.environment['CONNECTOR_ACCOUNTS']}"]
        names += [f"line/{line}" for line in self.environment["CONNECTOR_LINES"].split(",")]
        found = []
        for name in names:
            wanted = {"SecretId": f"{self.environment['CONNECTOR_SECRET_PREFIX']}/{name}"}
            answer = self.call("AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager.GetSecretValue", wanted, "1.1")
            found.append(json.loads(answer["SecretString"]))
        return found

    def kinds(self):
        """Returns the number of items of each kind in the table. The first part of a partition key is the kind."""
        counts = {}
        for key, _ in self.table():
            kind = key.split("#")[0]
            counts[kind] = counts.get(kind, 0) + 1
        return counts


class Queue:
    """One of the two queues, named after its direction."""

    def __init__(self, aws, direction):
        self.aws = aws
        self.name = direction
        self.url = aws.environment[f"CONNECTOR_{direction.replace('-', '_').upper()}_QUEUE_URL"]

    def receive(self):
        """Receives up to ten visible messages."""
        answer = self.aws.sqs("ReceiveMessage", QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"])
        return answer.get("Messages", [])

    def delete(self, message):
        self.aws.sqs("DeleteMessage", QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def drain(self):
        """Receives and deletes every visible message."""
        taken = []
        while messages := self.receive():
            taken += messages
            for message in messages:
                self.delete(message)
        return taken

    def waiting(self, url=None):
        """Returns the number of messages in the queue, visible or not."""
        attributes = self.aws.sqs("GetQueueAttributes", QueueUrl=url or self.url, AttributeNames=["All"])["Attributes"]
        return sum(int(attributes.get(f"ApproximateNumberOfMessages{kind}", 0)) for kind in ("", "NotVisible", "Delayed"))

    def dead_letters(self):
        return self.waiting(self.url.replace(".fifo", "-dead-letters.fifo"))


def sqs_event(messages, queue):
    """Builds the event of a batch in the form of Lambda's event source mapping."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue.name}.fifo",
                "awsRegion": "us-east-1",
            }
            for message in messages
        ]
    }
