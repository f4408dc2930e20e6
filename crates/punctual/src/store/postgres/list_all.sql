select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key, key_until,
  cancel is not null, failure, tags, deferred
from punctual.jobs where id > $1
order by id limit $2
