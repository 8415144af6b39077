"""Plays conversations in both directions. `sam local start-api` runs the entry points, and `sam local invoke` runs the workers. This script
replaces Lambda's event source mapping: it receives messages from a queue, invokes the worker and deletes the messages that are done."""

import base64
import time

from aws import sqs_event
from expect import wait_for
from lab import Lab
from sam import free_port

SMS_PHONE, WHATSAPP_PHONE = "+4915155577", "+4915155588"
NUMBERS = ("4915155577", "4915155588")
HELLO, ANSWER, THANKS = "Hi, is my parcel on its way? 📦", "Good morning! It arrives today. 👀", "Danke schön, Grüße aus Köln"
AGAIN, HANDS = "One more thing: the address?", "Can you see the damage?"
TEXTS = (HELLO, ANSWER, THANKS, AGAIN, HANDS)
# The smallest PNG, with one pixel.
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PATIENCE = 180


def run(expect, sam, connector, _):
    port = free_port()
    with Lab(connector, sam.folder, f"http://127.0.0.1:{port}") as lab, sam.start_api(lab, port) as api:
        sam.secrets += lab.aws.secrets()
        road = Road(expect, sam, lab, api)
        road.strangers()
        road.by_sms()
        road.by_whatsapp()
        road.nothing_is_left()


class Road:
    def __init__(self, expect, sam, lab, api):
        self.expect, self.sam, self.lab, self.api = expect, sam, lab, api

    def pump(self, queue, function):
        """Runs one batch of a queue through its worker. Returns whether there was a message."""
        messages = queue.receive()
        if not messages:
            return False
        answer = self.sam.invoke(self.lab, function, sqs_event(messages, queue))
        if not isinstance(answer, dict) or "batchItemFailures" not in answer:
            raise RuntimeError(f"{function} failed as a whole: {answer}")
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        # Keep failed messages in the queue. The function has set when they become visible again.
        for message in messages:
            if message["MessageId"] not in failed:
                queue.delete(message)
        return True

    def until(self, what, read, wanted):
        """Runs batches until `read` returns the wanted value."""
        end = time.monotonic() + PATIENCE
        while read() != wanted and time.monotonic() < end:
            self.turn()
        self.expect.equal(what, read(), wanted)

    def turn(self):
        moved = self.pump(self.lab.to_liveengage, "ToLiveEngageFunction")
        moved = self.pump(self.lab.to_channel, "ToChannelFunction") or moved
        if not moved:
            time.sleep(0.3)

    def strangers(self):
        """Checks that both entry points refuse unsigned requests, with an empty answer."""
        lab, api = self.lab, self.api
        for path in ("/webhooks/liveengage", "/channels/sms-lab", "/channels/whatsapp-lab"):
            status, _, body = api.request("POST", path, {"content-type": "application/json"}, b'{"text":"forged"}')
            self.expect.equal(f"POST {path} without a signature", [status, body], [401, ""])
        status, _, body = api.request("POST", "/channels/no-such-line", {"content-type": "application/json"}, b"{}")
        self.expect.equal("POST to a line that is not there", [status, body], [404, ""])
        self.expect.equal("nothing of it is queued", [lab.to_liveengage.waiting(), lab.to_channel.waiting()], [0, 0])
        token = next(secret["whatsapp"]["verify_token"] for secret in lab.aws.secrets() if "whatsapp" in secret)
        handshake = "/channels/whatsapp-lab?hub.mode=subscribe&hub.challenge=20260615&hub.verify_token="
        self.expect.equal("WhatsApp's handshake", api.request("GET", handshake + token)[::2], [200, "20260615"])
        self.expect.equal("the handshake with another token", api.request("GET", handshake + "guessed")[::2], [401, ""])

    def by_sms(self):
        lab = self.lab
        lab.do("phones/send", channel="SMS", phone=SMS_PHONE, text=HELLO)
        self.expect.comes("an SMS is taken by the inbound function", lambda: lab.states("SMS", SMS_PHONE), ["accepted"])
        self.until("it reaches the desk", lambda: [self.transcript(0)], [[["consumer", HELLO]]])
        conversation = lab.conversations()[0]["id"]
        lab.do("desk/say", conversation=conversation, text=ANSWER)
        self.until("the agent's answer reaches the phone", lambda: lab.phone("SMS", SMS_PHONE), [["consumer", HELLO], ["agent", ANSWER]])
        self.until("the agent sees that it was delivered", lambda: lab.ticks(conversation), ["delivered"])
        lab.do("phones/send", channel="SMS", phone=SMS_PHONE, text=THANKS)
        said = [["consumer", HELLO], ["agent", ANSWER], ["consumer", THANKS]]
        self.until("the next text is in the same conversation", lambda: [self.transcript(0), len(lab.conversations())], [said, 1])
        lab.do("desk/close", conversation=conversation)
        self.until("news of the end is worked on", self.waiting, 0)
        lab.do("phones/send", channel="SMS", phone=SMS_PHONE, text=AGAIN)
        self.until("after the end a new one begins", lambda: [self.transcript(0), self.transcript(1)], [said, [["consumer", AGAIN]]])

    def by_whatsapp(self):
        lab = self.lab
        lab.do("phones/send", channel="WhatsApp", phone=WHATSAPP_PHONE, text=HANDS)
        # The simulator posts nothing until the function has answered its handshake.
        wait_for(lambda: lab.states("WhatsApp", WHATSAPP_PHONE), lambda states: states != ["pending"])
        self.until("a WhatsApp message reaches the desk", lambda: [self.transcript(2)], [[["consumer", HANDS]]])
        picture = {"name": "damage.png", "content_type": "image/png", "data": PICTURE, "caption": None}
        lab.do("phones/file", channel="WhatsApp", phone=WHATSAPP_PHONE, file=picture)
        self.until("a picture is carried into LiveEngage's storage", self.pictures, [base64.b64decode(PICTURE)])
        conversation = lab.conversations()[2]["id"] if len(lab.conversations()) > 2 else ""
        lab.do("desk/say", conversation=conversation, text=ANSWER)
        wanted = ["agent", ANSWER]
        self.until("the answer reaches WhatsApp", lambda: lab.phone("WhatsApp", WHATSAPP_PHONE)[-1:], [wanted])

    def pictures(self):
        conversations = self.lab.conversations()
        if len(conversations) < 3:
            return []
        bubbles = self.lab.state(conversation=conversations[2]["id"])["conversation"]
        found = [part["media"] for bubble in bubbles for part in bubble["attachments"] if part["kind"] == "picture"]
        return [self.lab.media(media) for media in found]

    def transcript(self, number):
        conversations = self.lab.conversations()
        return self.lab.desk(conversations[number]["id"]) if number < len(conversations) else []

    def waiting(self):
        return self.lab.to_liveengage.waiting() + self.lab.to_channel.waiting()

    def nothing_is_left(self):
        """Checks at the end that every text arrived once, and that no message is parked or a dead letter."""
        lab = self.lab
        # Wait until the echoes and reports of the last messages have arrived, too.
        quiet = 0
        end = time.monotonic() + PATIENCE
        while quiet < 6 and time.monotonic() < end:
            quiet = 0 if self.waiting() else quiet + 1
            self.turn()
        self.expect.equal("both queues are empty", self.waiting(), 0)
        self.expect.equal("so are the dead-letter queues", [lab.to_liveengage.dead_letters(), lab.to_channel.dead_letters()], [0, 0])
        self.expect.equal("nothing is parked", lab.aws.kinds().get("PARKED", 0), 0)
        self.expect.equal(
            "each text is on the SMS phone once, in order",
            lab.phone("SMS", SMS_PHONE),
            [["consumer", HELLO], ["agent", ANSWER], ["consumer", THANKS], ["consumer", AGAIN]],
        )
        self.expect.equal("there are three conversations", len(lab.conversations()), 3)
        self.expect.equal("of which one has ended", [one["state"] for one in lab.conversations()].count("closed"), 1)
