#!/usr/bin/env python3
"""A Punctual worker in Python, on the standard library: worker.py SERVER QUEUE..."""
import http.client, json, os, signal, socket, sys, threading, time, urllib.request, uuid

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
    """The runs of the answer; None if there was no answer, so that it is to be asked again."""
    body = json.dumps({"worker": NAME, **body}).encode()
    request = urllib.request.Request(f"{SERVER}/v1/workers/{verb}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)["runs"]
    except TROUBLE as error:
        print(f"{verb}: {error}", file=sys.stderr)
        return [] if getattr(error, "code", None) in (400, 413, 422) else None  # these stay refused

def beat():
    """Keeps the leases, and hears which runs are to stop. The last beat says that this worker has stopped."""
    last = False
    while not last:
        last = stopped.wait(LEASE / 6)
        runs = [{"id": id, "run": run} for id, (run, _) in list(held.items())]
        news = {"runs": runs, "lease": f"{LEASE}s", "stopping": stopping.is_set(), "stopped": last}
        for told in ask("beat", news) or []:
            if told["verdict"] != "held" and told["id"] in held:
                held[told["id"]][1].set()

def work(job, run):
    stop = threading.Event()
    held[job["id"]] = (run, stop)
    try:
        outcome = {"release": {}} if stopping.is_set() else {"done": handle(job, stop)}
    except Exception as error:
        outcome = {"retry": {"error": repr(error)}}
    outcome = {"cancelled": {}} if stop.is_set() else outcome
    while ask("settle", {"runs": [{"id": job["id"], "run": run, "outcome": outcome}]}) is None:
        time.sleep(1)
    del held[job["id"]]

signal.signal(signal.SIGTERM, lambda *_: stopping.set())
beating = threading.Thread(target=beat, daemon=True)
beating.start()
while not stopping.is_set():
    runs = ask("claim", {"queues": QUEUES, "wait": "5s", "lease": f"{LEASE}s"})
    for it in runs or []:
        work(it["job"], it["run"])
    if runs is None:
        time.sleep(1)
stopped.set()
beating.join()
