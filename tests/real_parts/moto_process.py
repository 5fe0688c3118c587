"""moto's EC2 and Auto Scaling on listening sockets that this process was given.

A socket belongs to the network namespace in which it was opened: so one moto serves the program
inside and boto3 outside.
"""

from __future__ import annotations

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


def main(numbers: list[str]) -> None:
    """Serve on the listening sockets of these numbers, for ever."""
    application = DomainDispatcherApplication(create_backend_app)
    for number in map(int, numbers):
        server = make_server("127.0.0.1", 0, application, threaded=True, fd=number)
        threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main(sys.argv[1:])
