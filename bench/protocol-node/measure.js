// The same measurements as in ../protocol, for systems of Node: see there what each means, and ../README.md for the commands.
//
// A system has: open(request), enqueue(job), enqueueAll(jobs), work(onStart), isDrained(), close(), and unsupported(request) with a
// reason or nothing. A job is { number, payload, due, urgent }, `due` in milliseconds since the epoch.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const TOMORROW = 1_000_000_000;
const BATCH = 1_000;
const HEAD_START_MS = 2_000;
const PATIENCE_MS = 30_000;
const WARM_UP_MS = 500;

export async function run(system) {
  const request = parse(process.argv.slice(2));
  const reason = system.unsupported(request);
  if (reason) return print({ unsupported: reason });
  try {
    await system.open(request);
    await COMMANDS[request.command](system, request);
    await system.close();
    process.exit(0);
  } catch (error) {
    console.error(String(error?.stack ?? error).split("\n").slice(0, 2).join(" "));
    process.exit(1);
  }
}

const COMMANDS = {
  async fill(system, request) {
    for (let first = 0; first < request.jobs; first += BATCH) {
      await system.enqueueAll(range(first, Math.min(first + BATCH, request.jobs)).map((n) => job(n)));
    }
    const day = Date.now() + 24 * 3600 * 1000;
    for (let first = 0; first < request.tomorrow; first += BATCH) {
      const numbers = range(first, Math.min(first + BATCH, request.tomorrow));
      const urgent = request["urgent-tomorrow"];
      await system.enqueueAll(numbers.map((n) => ({ ...job(TOMORROW + n, day + (n % 900_000)), urgent })));
    }
    figure("fill", 0, "jobs/s");
  },

  async "enqueue-single"(system, request) {
    let next = 0;
    let acknowledged = 0;
    let ended = false;
    const callers = range(0, request.callers).map(async () => {
      while (!ended) {
        await system.enqueue(job(next++));
        acknowledged += 1;
      }
    });
    await sleep(request.seconds * 200);
    const [begun, before] = [performance.now(), acknowledged];
    await sleep(request.seconds * 1000);
    const [counted, elapsed] = [acknowledged - before, (performance.now() - begun) / 1000];
    ended = true;
    await Promise.all(callers);
    figure("enqueue-single", counted / elapsed, "jobs/s", { acknowledged });
  },

  async "enqueue-bulk"(system, request) {
    const batch = (first) => range(first, first + BATCH).map((n) => job(n));
    await system.enqueueAll(batch(0));
    const begun = performance.now();
    let stored = 0;
    while (performance.now() - begun < request.seconds * 1000) {
      stored += BATCH;
      await system.enqueueAll(batch(stored));
    }
    figure("enqueue-bulk", stored / ((performance.now() - begun) / 1000), "jobs/s");
  },

  async work(system, request) {
    const begun = performance.now();
    await drain(system, request);
    const memory = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;
    figure("work", request.jobs / ((performance.now() - begun) / 1000), "jobs/s", { memory_mib: memory });
  },

  async "cycle-work"(system, request) {
    await drain(system, request, () => print({ ready: true }));
    figure("cycle-work", Date.now() / 1000, "s");
  },

  async "cycle-enqueue"(system, request) {
    const begun = Date.now() / 1000;
    let next = 0;
    const callers = range(0, request.callers).map(async () => {
      while (next < request.jobs) await system.enqueue(job(next++));
    });
    await Promise.all(callers);
    figure("cycle-enqueue", begun, "s");
  },

  async pickup(system, request) {
    let started = () => {};
    failing(system.work((number) => started([number, performance.now()])));
    await sleep(WARM_UP_MS);
    const lengths = [];
    for (let number = 0; number < request.jobs; number += 1) {
      const start = new Promise((resolve) => (started = resolve));
      await system.enqueue(job(number));
      const acknowledged = performance.now();
      const [which, at] = await Promise.race([start, sleep(PATIENCE_MS, [-1, 0])]);
      if (which !== number) throw new Error(`job ${number} did not start`);
      lengths.push(Math.max(at - acknowledged, 0));
      await sleep(15 + Math.random() * 20);
    }
    lengths.sort((a, b) => a - b);
    for (const [name, share] of [["pickup-p50", 0.5], ["pickup-p99", 0.99]]) figure(name, percentile(lengths, share), "ms");
  },

  async lateness(system, request) {
    const jobs = Math.round(request.rate * request.seconds);
    const first = Date.now() + HEAD_START_MS + jobs / 10;
    const dues = range(0, jobs).map(() => first + Math.floor(Math.random() * request.seconds * 1000));
    for (let from = 0; from < jobs; from += BATCH) {
      await system.enqueueAll(range(from, Math.min(from + BATCH, jobs)).map((n) => job(n, dues[n])));
    }
    if (Date.now() + 500 > first) throw new Error("the jobs took longer to store than their head start");
    const lengths = [];
    await new Promise((resolve, reject) => {
      setTimeout(reject, PATIENCE_MS + first - Date.now() + request.seconds * 1000, new Error("not all jobs started"));
      const working = system.work((number) => {
        lengths.push(performance.timeOrigin + performance.now() - dues[number]);
        if (lengths.length === jobs) resolve();
      });
      working.catch(reject);
    });
    lengths.sort((a, b) => a - b);
    const shares = [["lateness-p50", 0.5], ["lateness-p99", 0.99], ["lateness-earliest", 0]];
    for (const [name, share] of shares) figure(name, percentile(lengths, share), "ms");
  },

  async claim() {
    print({ unsupported: "its library has no call that claims" });
  },

  async idle(system) {
    const working = system.work(() => {});
    await sleep(WARM_UP_MS);
    print({ ready: true });
    await working;
  },
};

// Works until every job of the request has started and the store is drained.
async function drain(system, request, begun = () => {}) {
  const started = new Set();
  const complete = new Promise((resolve, reject) => {
    const working = system.work((number) => {
      if (number >= request.jobs) reject(new Error("a job of tomorrow started today"));
      started.add(number);
      if (started.size === request.jobs) resolve();
    });
    working.catch(reject);
  });
  begun();
  await complete;
  while (!(await system.isDrained())) await sleep(1);
}

function failing(working) {
  working.catch((error) => {
    console.error(String(error));
    process.exit(1);
  });
}

function job(number, due) {
  const address = `user-${String(number).padStart(10, "0")}@mail.example.com`;
  return { number, due, urgent: false, payload: { number, template: "welcome", address, attempt_link: true } };
}

function percentile(sorted, share) {
  const rank = Math.min(Math.max(Math.ceil(share * sorted.length), 1), sorted.length);
  return sorted[rank - 1];
}

function range(first, last) {
  return Array.from({ length: last - first }, (_, index) => first + index);
}

function parse(words) {
  const request = { command: words.shift(), jobs: 0, tomorrow: 0, seconds: 5, callers: 64, rate: 25 };
  while (words.length > 0) {
    const flag = words.shift().replace(/^--/, "");
    if (["delete", "urgent-tomorrow"].includes(flag)) request[flag] = true;
    else if (flag === "store") request.store = words.shift();
    else request[flag] = Number(words.shift());
  }
  return request;
}

function figure(name, value, unit, detail = {}) {
  print({ figure: name, value, unit, detail });
}

function print(object) {
  process.stdout.write(`${JSON.stringify(object)}\n`);
}
