select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
  key_until, cancel is not null, failure, tags, deferred
from jobs where rowid = ?1
