"""Names jobs and runs that are there, since of an id made up at random no server knows more than that it is none of its own.

Waits in bodies are made short: a claim that waits is no finding."""

import itertools
import json
import urllib.request
import uuid

import schemathesis

TURNS = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    if isinstance(case.body, dict) and isinstance(case.body.get("wait"), str):
        case.body["wait"] = "10ms"
    server = Server(case.operation.schema.get_base_url())
    # One in four stays unknown.
    if is_id(case.path_parameters.get("id")) and next(TURNS) % 4:
        case.path_parameters["id"] = server.job()
    if is_text(case.path_parameters.get("token")) and next(TURNS) % 4:
        case.path_parameters["token"] = server.run()["token"]


def is_id(value):
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def is_text(value):
    """Whether it is a text indeed: a wrong type stands in a path as a text, too, and is to be refused."""
    try:
        return isinstance(value, str) and isinstance(json.loads(value), str)
    except ValueError:
        return isinstance(value, str)


class Server:
    def __init__(self, address):
        self.address = address.rstrip("/")

    def job(self):
        """A job that waits, runs or has ended, in turn."""
        turn = next(TURNS) % 3
        if turn == 0:
            return self.post("/v1/jobs", {"kind": "work", "delay": "1h"})["id"]
        run = self.run()
        name = {"id": run["job"]["id"], "run": run["run"]}
        if turn == 1:
            self.post("/v1/workers/settle", {"runs": [{**name, "outcome": {"done": {"n": 1}}}]})
        return name["id"]

    def run(self):
        """A run in a queue of its own: the names of others come back in requests, and pause them."""
        queue = uuid.uuid4().hex
        self.post("/v1/jobs", {"kind": "work", "queue": queue})
        return self.post("/v1/workers/claim", {"worker": "w", "queues": [queue], "lease": "1h"})["runs"][0]

    def post(self, path, body):
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
