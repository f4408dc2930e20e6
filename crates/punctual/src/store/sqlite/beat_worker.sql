insert into workers (id, host, pid, queues, concurrency, running, started, stopping, beat, lease)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
on conflict do update set
  host = excluded.host, pid = excluded.pid, queues = excluded.queues, concurrency = excluded.concurrency,
  running = excluded.running, started = excluded.started, stopping = excluded.stopping, beat = excluded.beat,
  lease = excluded.lease
