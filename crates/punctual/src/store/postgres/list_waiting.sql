-- The queues one after the other, by jumps within the index; of each line (a queue and a priority) the first rows.
with recursive line (queue) as (
  select coalesce($1, (select min(queue) from punctual.jobs where state = 0))
  union all
  select (select min(jobs.queue) from punctual.jobs where state = 0 and jobs.queue > line.queue)
  from line where $1 is null and line.queue is not null
)
select first.*
from line cross join generate_series(0, 9) as step (priority)
cross join lateral (
    select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
      key_until, cancel is not null, failure, tags, deferred
    from punctual.jobs
    where state = 0 and jobs.queue = line.queue and priority = step.priority and (due, id) > ($2, $3)
    order by due, id limit $4
) as first
order by first.due, first.id limit $4
