"""Port of SkyPilot's request queue, which a server that runs already has: freed, or named.

SkyPilot can't be told to use another port. `make demo` asks before it builds anything, with any
Python: the standard library must do.
"""

from __future__ import annotations

import os
import socket
import sys

from sky_rs_patch._base import network

PORT = 50011


class Taken(Exception):
    """The port can't be had; the message says what to do."""


def is_listened_on() -> bool:
    """Whether somebody has the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


def claim() -> bool:
    """Makes sure of the port, in a network of this process's own if need be.

    Returns:
        Whether it needed one.

    Raises:
        Taken: if the port is taken, and the system gives no network.
    """
    if not is_listened_on():
        return False
    try:
        network.isolate_network()
    except OSError as error:
        raise Taken(
            f"something listens on 127.0.0.1:{PORT}, the port of SkyPilot's request queue, and "
            f"{error.strerror or error}: stop that API server (sky api stop) and what it "
            "started first"
        ) from None
    return True


def check() -> int:
    """Says whether the port can be had; gives an exit code, and claims nothing."""
    child = os.fork()
    if not child:
        try:
            claim()
        except Taken as error:
            sys.stderr.write(f"demo: error: {error}\n")
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
