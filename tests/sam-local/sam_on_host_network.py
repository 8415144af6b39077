"""Runs the SAM CLI with one change: the functions' containers share this machine's network.

The lab listens on 127.0.0.1 only, and the connector uses plain HTTP for loopback addresses only. The CLI has an option
`--docker-network host`, but version 1.170.0 ignores it for functions (`samcli/local/docker/container.py`). So this module creates the
container with that network, and with free ports for the runtime interface emulator.
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
        # The CLI sends invocations to this address.
        "--runtime-interface-emulator-address": f"127.0.0.1:{port}",
        # The function fetches its invocations from this address.
        "--runtime-api-address": f"127.0.0.1:{free_port()}",
    }
    options["entrypoint"] = [*options["entrypoint"], *(word for pair in addresses.items() for word in pair)]
    options["network_mode"] = "host"
    return create(self, image, command, **options)


ContainerCollection.create = create_on_host_network
sys.exit(cli(prog_name="sam"))
