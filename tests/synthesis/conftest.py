import threading
from collections.abc import Iterator

import pytest
from misbehaving import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that misbehaves as texts tell it to."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
