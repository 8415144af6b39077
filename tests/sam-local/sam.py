"""Runs `sam local` on the built functions."""

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
# The CLI passes only the variables of the template to a container, and the template has none for the stand-ins.
STAND_INS = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SECRETS_MANAGER")
PATIENCE = 120


class Sam:
    def __init__(self, build, architecture, options, folder):
        self.options = options
        self.folder = folder
        self.logs = []
        # The secrets that no log may contain.
        self.secrets = []
        template = yaml_parse((build / "template.yaml").read_text())
        function = template["Globals"]["Function"]
        function["Architectures"] = [architecture]
        function["Environment"]["Variables"].update({name: "" for name in STAND_INS})
        # Write it beside the built template, because the paths in it are relative.
        self.template = build / "template-for-the-lab.yaml"
        self.template.write_text(yaml_dump(template))
        # Keep the AWS settings and credentials of this machine out of the containers.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.environment = kept | {
            "AWS_DEFAULT_REGION": "us-east-1",
            # Without credentials, the CLI gives the containers made-up ones and makes no calls to AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
        }

    def command(self, lab, *words):
        own = ["--template", self.template, "--env-vars", lab.env_vars, *self.options]
        return [sys.executable, HERE / "sam_on_host_network.py", "local", *words, *own]

    def invoke(self, lab, function, event):
        """Invokes a function in a new container and returns its answer."""
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
    """`sam local start-api` with both entry points, in containers that keep running."""

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
        """Makes a request and returns the status, content type and body of the answer."""
        request = urllib.request.Request(self.url + path, data=body, headers=dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [answer.status, answer.headers["content-type"], answer.read().decode()]
        except urllib.error.HTTPError as error:
            return [error.code, error.headers["content-type"], error.read().decode()]

    def stop(self):
        # The CLI removes its containers on SIGINT.
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
