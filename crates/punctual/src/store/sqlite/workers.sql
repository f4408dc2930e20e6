select id, host, pid, queues, concurrency, running, started, stopping, beat, lease from workers
where beat >= ?1 order by id
