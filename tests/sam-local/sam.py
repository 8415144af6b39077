"""`sam local` on the built functions."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from samcli.yamlhelper import yaml_dump, yaml_parse

HERE = pathlib.Path(__file__).resolve().parent
# The CLI hands a container only those variables that the template has, and the template has none for stand-ins.
STAND_INS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SECRETS_MANAGER")
PATIENCE = 120


class Sam:
    def __init__(self, build, architecture, options, folder):
        self.options = options
        self.folder = folder
        self.logs = []
        # What must be in none of the logs.
        self.secrets = []
        template = yaml_parse((build / "template.yaml").read_text())
        function = template["Globals"]["Function"]
        function["Architectures"] = [architecture]
        function["Environment"]["Variables"].update({name: "" for name in STAND_INS})
        # Beside the built one, because the paths in it are relative.
        self.template = build / "template-for-the-lab.yaml"
        self.template.write_text(yaml_dump(template))
        # Nothing of whoever runs this may get into a container.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = kept | {
            "AWS_DEFAULT_REGION": "us-east-1",
            # Without credentials the CLI gives the containers made-up ones, and asks AWS for nothing.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    def command(self, lab, *words):
        own = ["--template", self.template, "--env-vars", lab.env_vars, *self.options]
        return [sys.executable, HERE / "sam_on_host_network.py", "local", *words, *own]

    def invoke(self, lab, function, event):
        """One invocation in a new container: the function's answer."""
        path = self.folder / "event.json"
        path.write_text(json.dumps(event))
        run = subprocess.run(
            self.command(lab, "invoke", function, "--event", path),
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE,
        )
        self.logs.append(run.stderr)
        try:
            return json.loads(run.stdout)
        except ValueError:
            raise RuntimeError(f"{function} gave no answer (exit {run.returncode}): {run.stdout}\n{run.stderr}") from None

    def start_api(self, lab, port):
        return Api(self, lab, port)


class Api:
    """`sam local start-api`: both entry points in containers that stay."""

    def __init__(self, sam, lab, port):
        self.sam = sam
        self.url = f"http://127.0.0.1:{port}"
        self.log = sam.folder / "start-api.log"
        words = ("start-api", "--host", "127.0.0.1", "--port", str(port), "--warm-containers", "EAGER")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                sam.command(lab, *words), cwd=sam.folder, env=sam.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while not listens(port):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"sam local start-api does not start: {self.log.read_text()}")
            time.sleep(0.5)

    def request(self, method, path, headers=(), body=None):
        """Status, content type and body of the answer."""
        request = urllib.request.Request(self.url + path, data=body, headers=dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [answer.status, answer.headers["content-type"], answer.read().decode()]
        except urllib.error.HTTPError as error:
            return [error.code, error.headers["content-type"], error.read().decode()]

    def stop(self):
        # It removes its containers on SIGINT.
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.sam.logs.append(self.log.read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
