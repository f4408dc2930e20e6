-- These jobs become running ones, if they still wait in the queue that was asked about them.
with picked as materialized (
  select jobs.id, run, alarm, first_started, started, worker
  from unnest($1, $2) as wanted (id, queue)
  join punctual.jobs on jobs.id = wanted.id and jobs.queue = wanted.queue
  where state = 0 and due <= $3 and (alarm is null or alarm > $3)
  order by jobs.id for update of jobs skip locked
)
update punctual.jobs
set state = 1, rev = jobs.rev + 1, run = jobs.rev + 1, attempt = attempt + 1, worker = $4, alarm = $3 + $5,
  started = $3, first_started = coalesce(jobs.first_started, $3)
from picked
where jobs.id = picked.id
returning jobs.*, picked.run, picked.alarm, picked.first_started, picked.started, picked.worker
