"""What one run of the laboratory holds: folder, names, certificates, servers."""

import os

from . import namespace
from .certs import Certificates
from .names import Names
from .process import Process


class Laboratory:
    """Everything that is started through it ends with it:

        with Laboratory() as lab:
            lab.names.server("beta.example", "127.0.0.3")
            lab.names.start(lab)
    """

    def __init__(self):
        self.folder = namespace.folder()
        self.running = []
        self.names = Names(self.path("names"))
        self.certificates = Certificates(self.path("certs"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.stop()

    def path(self, *parts):
        """A folder inside the laboratory's own, made where it is missing."""
        path = os.path.join(self.folder, *parts)
        os.makedirs(path, exist_ok=True)
        return path

    def run(self, name, argv, **more):
        process = Process(name, argv, os.path.join(self.path("log"), name + ".log"), **more)
        self.running.append(process)
        return process

    def stop(self, process):
        self.running.remove(process)
        return process.stop()
