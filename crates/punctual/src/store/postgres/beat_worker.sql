-- Keeps a worker's news, and drops workers that are forgotten so that no more are kept than were lately alive.
with forgotten as (
  delete from punctual.workers
  where id in (
    select id from punctual.workers
    where beat < $10 and id <> $1
    for update skip locked)
)
insert into punctual.workers (id, host, pid, queues, concurrency, running, started, stopping, beat, lease)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11)
on conflict (id) do update set
  host = excluded.host, pid = excluded.pid, queues = excluded.queues, concurrency = excluded.concurrency,
  running = excluded.running, started = excluded.started, stopping = excluded.stopping, beat = excluded.beat,
  lease = excluded.lease
