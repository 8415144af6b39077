"""Runs `sam local invoke` for every function with every event in `events/`. Checks the answers, queues, table and simulators.

Some events are signed for one moment, and the functions now correctly refuse them. The test signs these again and invokes them a second time.
"""

import base64
import datetime
import hashlib
import hmac
import json
import time
import uuid

from aws import sqs_event
from lab import Lab

ACCOUNT = "72419083"
ANNA, BEN = "+491713920017", "+491713920034"
# The status, headers and body of every answer. The answers hold nothing else.
TAKEN, REFUSED = [200, {}, ""], [401, {}, ""]
# A conversation that no event opens.
UNKNOWN = "c04a7712-6e9b-4f3d-8d20-5b1f7e6a9c38"
# How old a message may be if its signature has no timestamp.
BELIEVED = datetime.timedelta(days=13)


def run(expect, sam, connector, events):
    secrets = events / "secrets.json"
    # No test here calls the entry points over HTTP, so the address does not matter.
    with Lab(connector, sam.folder, "http://127.0.0.1:9", secrets) as lab:
        tests = Fixtures(expect, sam, lab, events, json.loads(secrets.read_text()))
        tests.webhook()
        tests.inbound()
        tests.token_refresh()
        tests.reconcile()
        tests.to_liveengage()
        tests.to_channel()
        tests.one_message_of_a_batch()
        sam.secrets += lab.aws.secrets()
        named = {path.name for path in events.glob("*.json")} - {"secrets.json"}
        expect.equal("every event has been invoked", sorted(named - tests.invoked), [])


class Fixtures:
    def __init__(self, expect, sam, lab, events, secrets):
        self.expect, self.sam, self.lab, self.events = expect, sam, lab, events
        self.account = secrets[f"connector/account/{ACCOUNT}"]
        self.sms = secrets["connector/line/sms-main"]["sms"]
        self.whatsapp = secrets["connector/line/whatsapp-main"]["whatsapp"]
        self.invoked = set()

    def read(self, name):
        self.invoked.add(name)
        return json.loads((self.events / name).read_text())

    # ------------------------------------------------------------ Entry points

    def webhook(self):
        queue = self.lab.to_channel
        self.http("WebhookFunction", "webhook-closed.json", TAKEN, queue, 1)
        for name, queued in (("webhook-text.json", 1), ("webhook-batch.json", 3)):
            if not self.is_old():
                self.http("WebhookFunction", name, TAKEN, queue, queued)
                continue
            self.http("WebhookFunction", name, REFUSED, queue, 0)
            self.http("WebhookFunction", f"{name}, of today", TAKEN, queue, queued, self.webhook_now(name))
        self.http("WebhookFunction", "webhook-wrong-signature.json", REFUSED, queue, 0)

    def inbound(self):
        queue = self.lab.to_liveengage
        self.http("InboundFunction", "inbound-text.json", REFUSED, queue, 0)
        tasks = self.http("InboundFunction", "inbound-text.json, of today", TAKEN, queue, 1, self.sms_now())
        wanted = self.read("to-liveengage-batch.json")["Records"][0]
        self.expect.equal(
            "  in the group and with the deduplication id of to-liveengage-batch.json's first",
            [message["Attributes"][key] for message in tasks for key in ("MessageGroupId", "MessageDeduplicationId")],
            [wanted["attributes"][key] for key in ("MessageGroupId", "MessageDeduplicationId")],
        )
        self.http("InboundFunction", "inbound-unsigned.json", REFUSED, queue, 0)
        event = self.read("inbound-whatsapp-text.json")
        if self.is_old():
            self.http("InboundFunction", "inbound-whatsapp-text.json", REFUSED, queue, 0)
            event = self.whatsapp_now()
        tasks = self.http("InboundFunction", "inbound-whatsapp-text.json, while it is believed", TAKEN, queue, 1, event)
        self.expect.equal(
            "  with line, person and text",
            [[task["line"], task["event"]["content"]["text"]] for task in bodies(tasks)],
            [["whatsapp-main", "Is the shop open today? 🕘"]],
        )
        self.http("InboundFunction", "inbound-whatsapp-handshake.json", [200, {"content-type": "text/plain"}, "5819203746"], queue, 0)

    def is_old(self):
        """Returns whether the messages of 2026-06-15 are now too old for webhooks whose signature has no timestamp."""
        written = datetime.datetime(2026, 6, 15, 9, 30, 2, tzinfo=datetime.UTC)
        return datetime.datetime.now(datetime.UTC) - written > BELIEVED

    def http(self, function, name, wanted, queue, queued, event=None):
        event = event or self.read(name)
        answer = self.sam.invoke(self.lab, function, event)
        body = answer.get("body") or ""
        if answer.get("isBase64Encoded"):
            body = base64.b64decode(body).decode()
        seen = [answer.get("statusCode"), answer.get("headers"), body]
        self.expect.equal(f"{function} {name}: status, headers and body", seen, wanted)
        messages = queue.drain()
        self.expect.equal(f"  {queued} in the queue {queue.name}", len(messages), queued)
        accounts = {task.get("account", ACCOUNT) for task in bodies(messages)}
        self.expect.equal("  none of another account", accounts - {ACCOUNT}, set())
        return messages

    def webhook_now(self, name, later=0, unknown=UNKNOWN):
        """Returns the event with the current time, sequences that are `later` higher, and another id of the unknown conversation."""
        event = self.read(name)
        notification = json.loads(base64.b64decode(event["body"]).decode().replace(UNKNOWN, unknown))
        for change in notification["body"]["changes"]:
            change["serverTimestamp"] = int(time.time() * 1000)
            change["sequence"] += later
        signed = body_of(event, notification)
        signature = hmac.new(self.account["client_secret"].encode(), signed, hashlib.sha1).digest()
        event["headers"]["x-liveperson-signature"] = f"sha1={base64.b64encode(signature).decode()}"
        return event

    def sms_now(self):
        event = self.read("inbound-text.json")
        body, headers = base64.b64decode(event["body"]), event["headers"]
        nonce, at = uuid.uuid4().hex, str(int(time.time()))
        signature = hmac.new(self.sms["webhook_secret"].encode(), b".".join([body, nonce.encode(), at.encode()]), hashlib.sha256)
        headers["x-sinch-webhook-signature"] = base64.b64encode(signature.digest()).decode()
        headers["x-sinch-webhook-signature-nonce"] = nonce
        headers["x-sinch-webhook-signature-timestamp"] = at
        return event

    def whatsapp_now(self):
        event = self.read("inbound-whatsapp-text.json")
        notification = json.loads(base64.b64decode(event["body"]))
        for message in notification["entry"][0]["changes"][0]["value"]["messages"]:
            message["timestamp"] = str(int(time.time()))
        signed = body_of(event, notification)
        signature = hmac.new(self.whatsapp["app_secret"].encode(), signed, hashlib.sha256).hexdigest()
        event["headers"]["x-hub-signature-256"] = f"sha256={signature}"
        return event

    # ------------------------------------------------------------ The others

    def token_refresh(self):
        answer = self.sam.invoke(self.lab, "TokenRefreshFunction", self.read("token-refresh-schedule.json"))
        self.expect.equal("TokenRefreshFunction token-refresh-schedule.json: no error", error_of(answer), None)
        self.expect.equal("  the account's token is in the table", self.lab.aws.kinds(), {"TOKEN": 1})

    def reconcile(self):
        answer = self.sam.invoke(self.lab, "ReconcileFunction", self.read("reconcile-schedule.json"))
        self.expect.equal("ReconcileFunction reconcile-schedule.json: no error", error_of(answer), None)

    def to_liveengage(self):
        batch = self.read("to-liveengage-batch.json")
        desk = [
            [["consumer", "Hi, where is my parcel? 🙂"], ["consumer", "It is order 5521"]],
            [["consumer", "Please call me back"]],
        ]
        for again in ("", ", brought again by SQS"):
            answer = self.sam.invoke(self.lab, "ToLiveEngageFunction", batch)
            self.expect.equal(f"ToLiveEngageFunction to-liveengage-batch.json{again}", answer, {"batchItemFailures": []})
            shown = [self.lab.desk(conversation["id"]) for conversation in self.lab.conversations()]
            self.expect.equal("  two conversations at the desk, each text once", sorted(shown), sorted(desk))
            kinds = self.lab.aws.kinds()
            self.expect.equal("  two consumers and three messages in the table", [kinds["CONS"], kinds["MSG"]], [2, 3])
            self.expect.equal("  nothing is parked", kinds.get("PARKED", 0), 0)

    def to_channel(self):
        """Runs the batch of agents' messages. Anna is known by then, and the batch's conversation is hers."""
        self.know_anna()
        texts = [["agent", "Good morning! Your parcel is on its way 📦🚚"], ["agent", "Anything else?"]]
        batch = self.read("to-channel-batch.json")
        unclaimed = {record["messageId"] for record in batch["Records"] if UNKNOWN in record["body"]}
        for again in ("", ", brought again by SQS"):
            # The batch's groups are handled side by side. So the first text may be looked up before the notification of its conversation is
            # recorded. Then it and those behind it come again. The text in the unknown conversation may fail or not, too: it depends on how
            # long it has waited.
            for _ in range(3):
                answer = self.sam.invoke(self.lab, "ToChannelFunction", batch)
                failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
                if not failed - unclaimed:
                    break
            self.expect.equal(f"ToChannelFunction to-channel-batch.json{again}: no failed items", failed - unclaimed, set())
            self.expect.comes("  Anna has two SMS, in order, each once", lambda: self.lab.phone("SMS", ANNA), texts)
            self.expect.equal("  Ben has none", self.lab.phone("SMS", BEN), [])

    def know_anna(self):
        """Makes both of Anna's ids point to her: the one that the events use, and the one that the simulator gave her."""
        batch = self.read("to-channel-batch.json")
        task = json.loads(batch["Records"][0]["body"])
        participants = task["change"]["result"]["conversationDetails"]["participants"]
        name = next(person["id"] for person in participants if person["role"] == "CONSUMER")
        items = self.lab.aws.table().items()
        pointer = next(item for (_, kind), item in items if kind == "LECONS" and item["user"]["S"] == ANNA)
        self.lab.aws.put_item(pointer | {"pk": {"S": f"LECONS#{ACCOUNT}#{name}"}})

    def one_message_of_a_batch(self):
        """Sends a batch through the webhook function and checks that the worker returns one of its messages to the queue."""
        unknown = str(uuid.uuid4())
        # Change the sequences, because SQS would discard the same messages as duplicates of the earlier ones.
        event = self.webhook_now("webhook-batch.json", later=100, unknown=unknown)
        self.sam.invoke(self.lab, "WebhookFunction", event)
        queue = self.lab.to_channel
        messages = queue.receive()
        failed = [message["MessageId"] for message in messages if unknown in message["Body"]]
        answer = self.sam.invoke(self.lab, "ToChannelFunction", sqs_event(messages, queue))
        self.expect.equal(
            "ToChannelFunction, three messages from the queue: the unknown conversation's comes again",
            [len(messages), answer],
            [3, {"batchItemFailures": [{"itemIdentifier": failed[0]}]}],
        )
        sms = [text for _, text in self.lab.phone("SMS", ANNA)]
        self.expect.equal("  Anna has the agent's text, not the private one, not her own", sms[2:], ["It arrives tomorrow before noon."])
        for message in messages:
            if message["MessageId"] not in failed:
                queue.delete(message)
        # The queue's own visibility timeout is six minutes. The function sets one second.
        end = time.monotonic() + 15
        while not (back := queue.receive()) and time.monotonic() < end:
            time.sleep(0.5)
        self.expect.equal("  and is visible again soon", [message["MessageId"] for message in back], failed)


def error_of(answer):
    return answer.get("errorMessage") if isinstance(answer, dict) else None


def bodies(messages):
    return [json.loads(message["Body"]) for message in messages]


def body_of(event, value):
    """Replaces the body of an HTTP event and returns the bytes of the new body."""
    body = json.dumps(value).encode()
    event["body"] = base64.b64encode(body).decode()
    event["headers"]["content-length"] = str(len(body))
    return body
