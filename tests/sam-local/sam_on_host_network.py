"""The SAM CLI, with one change: its function containers share this machine's network.

The lab listens on 127.0.0.1 only, and the connector speaks plain HTTP to loopback addresses only. The CLI has an option
`--docker-network host`, but version 1.170.0 ignores it for functions (`samcli/local/docker/container.py`). So the container is
created here with that network, and with ports for the runtime interface emulator that nobody else has.
"""

import socket
import sys

from docker.models.containers import ContainerCollection
from samcli.cli.main import cli

create = ContainerCollection.create


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def create_on_host_network(self, image, command=None, **options):
    ports = options.pop("ports")
    _, port = ports["8080"]
    addresses = {
        # Where the CLI sends invocations.
        "--runtime-interface-emulator-address": f"127.0.0.1:{port}",
        # Where the function asks for them.
        "--runtime-api-address": f"127.0.0.1:{free_port()}",
    }
    options["entrypoint"] = [*options["entrypoint"], *(word for pair in addresses.items() for word in pair)]
    options["network_mode"] = "host"
    return create(self, image, command, **options)


ContainerCollection.create = create_on_host_network
sys.exit(cli(prog_name="sam"))
