// BullMQ: 200 jobs at once; finished jobs are kept, or removed in that class.
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { run } from "../../protocol-node/measure.js";

const QUEUE = "bench";
const AT_ONCE = 200;

let connection;
let queue;
let options;

await run({
  unsupported: () => undefined,

  async open(request) {
    const url = new URL(request.store);
    connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
    queue = new Queue(QUEUE, { connection });
    const client = new Redis(connection);
    const [, appends] = await client.config("GET", "appendonly");
    client.disconnect();
    if (appends !== "yes") throw new Error("what it acknowledges is not on the disk");
    options = request.delete ? { removeOnComplete: true } : {};
  },

  async enqueue(job) {
    await queue.add("bench", job.payload, settings(job));
  },

  async enqueueAll(jobs) {
    await queue.addBulk(jobs.map((job) => ({ name: "bench", data: job.payload, opts: settings(job) })));
  },

  async work(onStart) {
    const worker = new Worker(QUEUE, async (job) => onStart(job.data.number), { connection, concurrency: AT_ONCE });
    await new Promise((_, reject) => worker.on("error", reject));
  },

  async isDrained() {
    const counts = await queue.getJobCounts("wait", "active", "prioritized");
    return counts.wait + counts.active + counts.prioritized === 0;
  },

  async close() {},
});

// Without a priority a job goes before all that have one; ordinary jobs have none, so that urgent ones cannot go before them.
function settings(job) {
  return job.due ? { ...options, delay: Math.max(job.due - Date.now(), 0) } : options;
}
