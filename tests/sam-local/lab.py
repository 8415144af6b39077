"""The lab without its functions: the simulators and stand-ins, and what people do on their phones and at the desk."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

from aws import Aws, Queue
from expect import wait_for


class Lab:
    """A lab of its own, from nothing. The functions shall answer at `api`. It plays whom the file `secrets` names."""

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
        # The form that `sam local --env-vars` reads, as the lab prints it.
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
        """Something that a person does, by the page's API: `phones/send`, `desk/say` and so on."""
        request = urllib.request.Request(
            f"{self.page}/api/{action}", data=json.dumps(body).encode(), headers={"content-type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()

    def state(self, **shown):
        query = urllib.parse.urlencode(shown)
        with urllib.request.urlopen(f"{self.page}/api/state?{query}", timeout=10) as answer:
            return json.load(answer)

    def media(self, id):
        """The bytes of a file that the desk shows."""
        with urllib.request.urlopen(f"{self.page}/api/desk/media?{urllib.parse.urlencode({'id': id})}", timeout=10) as answer:
            return answer.read()

    def phone(self, channel, number):
        """What a phone shows: who wrote, and what."""
        bubbles = self.state(channel=channel, phone=number)["phone"] or []
        return [[bubble["side"], bubble["text"]] for bubble in bubbles]

    def states(self, channel, number):
        """What became of the phone's own messages."""
        bubbles = self.state(channel=channel, phone=number)["phone"] or []
        return [bubble["state"] for bubble in bubbles if bubble["side"] == "consumer"]

    def conversations(self):
        """Those at the desk, the oldest first."""
        return sorted(self.state()["conversations"], key=lambda conversation: conversation["opened_at_ms"])

    def desk(self, conversation):
        """What the desk shows of a conversation, without the system's own lines."""
        bubbles = self.state(conversation=conversation)["conversation"] or []
        return [[bubble["side"], bubble["text"]] for bubble in bubbles if bubble["side"] != "system"]

    def ticks(self, conversation):
        """What became of the agent's messages."""
        bubbles = self.state(conversation=conversation)["conversation"] or []
        return [bubble["state"] for bubble in bubbles if bubble["side"] == "agent"]
