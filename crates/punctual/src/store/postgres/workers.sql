select id, host, pid, queues, concurrency, running, started, stopping, beat, lease
from punctual.workers
where beat >= (extract(epoch from statement_timestamp()) * 1000000)::bigint - $1
order by id
