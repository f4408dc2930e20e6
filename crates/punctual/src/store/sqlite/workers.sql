select id, host, pid, queues, concurrency, running, started, stopping, beat from workers where beat >= ?1 order by id
