#!/usr/bin/env python3
"""A Punctual worker in Python, on the standard library: worker.py SERVER QUEUE..."""
import http.client, json, os, signal, socket, sys, threading, time, urllib.error, urllib.request, uuid

SERVER, QUEUES = sys.argv[1], sys.argv[2:] or ["default"]
NAME = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"  # another one for each start
LEASE = int(os.environ.get("LEASE", "30"))  # seconds; should this process die, its jobs run again so much later
TROUBLE = (OSError, http.client.HTTPException, ValueError)  # no connection, no answer, or half of one
held = {}  # the runs at work, by the job's id
stopping, stopped = threading.Event(), threading.Event()  # whether to take no more; whether nothing is at work any more

def handle(job, stop):
    """Your work. Once `stop` is set the job is cancelled, or another worker's by now."""
    print(job["id"], flush=True)
    return {"handled_by": "python"}  # any JSON; an exception is another attempt later

def ask(verb, body):
    request = urllib.request.Request(f"{SERVER}/v1/workers/{verb}", json.dumps({"worker": NAME, **body}).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)["runs"]

def beat():
    """Keeps the leases, and hears which runs are to stop. The last beat says that this worker has stopped."""
    last = False
    while True:
        try:
            runs = [{"id": id, "run": run} for id, (run, _) in list(held.items())]
            news = {"stopping": stopping.is_set(), "stopped": last}
            for told in ask("beat", {"runs": runs, "lease": f"{LEASE}s", **news}):
                if told["verdict"] != "held" and told["id"] in held:
                    held[told["id"]][1].set()
        except TROUBLE as error:
            print(f"a beat failed: {error}", file=sys.stderr)
        if last:
            return
        last = stopped.wait(LEASE / 6)

def settle(id, run, outcome):
    """Tells what became of a run, again and again until the server has heard it."""
    while True:
        try:
            return ask("settle", {"runs": [{"id": id, "run": run, "outcome": outcome}]})
        except TROUBLE as error:
            print(f"an outcome is not settled yet: {error}", file=sys.stderr)
            if isinstance(error, urllib.error.HTTPError) and error.code in (400, 413, 422):
                return None  # it is no outcome; the lease brings the job back
        time.sleep(1)

def work(job, run):
    stop = threading.Event()
    held[job["id"]] = (run, stop)
    try:
        outcome = {"release": {}} if stopping.is_set() else {"done": handle(job, stop)}
    except Exception as error:
        outcome = {"retry": {"error": repr(error)}}
    settle(job["id"], run, {"cancelled": {}} if stop.is_set() else outcome)
    del held[job["id"]]

signal.signal(signal.SIGTERM, lambda *_: stopping.set())
beating = threading.Thread(target=beat, daemon=True)
beating.start()
while not stopping.is_set():
    try:
        for it in ask("claim", {"queues": QUEUES, "wait": "5s", "lease": f"{LEASE}s"}):
            work(it["job"], it["run"])
    except TROUBLE as error:
        print(f"no jobs: {error}", file=sys.stderr)
        time.sleep(1)
stopped.set()
beating.join()
