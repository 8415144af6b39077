"""Starts the lab without its functions (the simulators and stand-ins), and acts for the consumers and the agent."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

from aws import Aws, Queue
from expect import wait_for


class Lab:
    """A new, empty lab. It posts webhooks to the functions at `api`. The file `secrets` names its account and lines."""

    def __init__(self, binary, folder, api, secrets=None):
        self.log = folder / "lab.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [binary, "lab", "--without-functions", api, *(["--secrets", secrets] if secrets else [])], stdout=subprocess.PIPE, stderr=log, text=True
            )
        parameters = self.process.stdout.readline()
        if not parameters:
            raise RuntimeError(f"the lab does not start: {self.log.read_text()}")
        self.environment = json.loads(parameters)["Parameters"]
        # The lab prints the parameters in the form that `sam local --env-vars` reads.
        self.env_vars = folder / "env.json"
        self.env_vars.write_text(parameters)
        self.aws = Aws(self.environment)
        self.to_liveengage = Queue(self.aws, "to-liveengage")
        self.to_channel = Queue(self.aws, "to-channel")
        found = wait_for(lambda: re.search(r"Open (http://\S+)/ in a browser", self.log.read_text()), bool)
        self.page = found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)

    def do(self, action, **body):
        """Acts for a consumer or an agent through the page's API: `phones/send`, `desk/say` and so on."""
        request = urllib.request.Request(
            f"{self.page}/api/{action}", data=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()

    def state(self, **shown):
        query = urllib.parse.urlencode(shown)
        with urllib.request.urlopen(f"{self.page}/api/state?{query}", timeout=10) as answer:
            return json.load(answer)

    def media(self, id):
        """Returns the bytes of a file that the desk shows."""
        with urllib.request.urlopen(f"{self.page}/api/desk/media?{urllib.parse.urlencode({'id': id})}", timeout=10) as answer:
            return answer.read()

    def phone(self, channel, number):
        """Returns the messages that a phone shows, each with its side and text."""
        bubbles = self.state(channel=channel, phone=number)["phone"] or []
        return [[bubble["side"], bubble["text"]] for bubble in bubbles]

    def states(self, channel, number):
        """Returns the states of the messages that the consumer sent."""
        bubbles = self.state(channel=channel, phone=number)["phone"] or []
        return [bubble["state"] for bubble in bubbles if bubble["side"] == "consumer"]

    def conversations(self):
        """Returns the conversations at the desk, the oldest first."""
        return sorted(self.state()["conversations"], key=lambda conversation: conversation["opened_at_ms"])

    def desk(self, conversation):
        """Returns the messages that the desk shows in a conversation, without the system messages."""
        bubbles = self.state(conversation=conversation)["conversation"] or []
        return [[bubble["side"], bubble["text"]] for bubble in bubbles if bubble["side"] != "system"]

    def ticks(self, conversation):
        """Returns the states of the agent's messages."""
        bubbles = self.state(conversation=conversation)["conversation"] or []
        return [bubble["state"] for bubble in bubbles if bubble["side"] == "agent"]
