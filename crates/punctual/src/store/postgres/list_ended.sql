-- As list_waiting.sql, the newest end first; $5 are the states. Rows without an end come last, as if theirs were $6, the
-- first instant of all.
with recursive line (queue) as (
  select coalesce($1, (select min(queue) from punctual.jobs where state >= 2))
  union all
  select (select min(jobs.queue) from punctual.jobs where state >= 2 and jobs.queue > line.queue)
  from line where $1 is null and line.queue is not null
)
select first.*
from line cross join unnest($5) as wanted (state)
cross join lateral (
  (
    select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
      key_until, cancel is not null, failure, tags, deferred
    from punctual.jobs
    where state >= 2 and jobs.queue = line.queue and jobs.state = wanted.state and ended = $2 and id > $3
    order by id limit $4
  ) union all (
    select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
      key_until, cancel is not null, failure, tags, deferred
    from punctual.jobs
    where state >= 2 and jobs.queue = line.queue and jobs.state = wanted.state and ended < $2
    order by ended desc nulls last, id limit $4
  ) union all (
    select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
      key_until, cancel is not null, failure, tags, deferred
    from punctual.jobs
    where state >= 2 and jobs.queue = line.queue and jobs.state = wanted.state and ended is null
      and ($6 < $2 or $6 = $2 and id > $3)
    order by id limit $4
  )
) as first
order by coalesce(first.ended, $6) desc, first.id limit $4
