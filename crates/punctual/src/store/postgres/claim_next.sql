-- The earliest due instant in each queue: one lazy probe for each of its ten lines.
select line.queue, min(first.due)
from unnest($1) as line (queue)
cross join generate_series(0, 9) as step (priority)
cross join lateral (
  select due
  from punctual.jobs
  where state = 0 and queue = line.queue and priority = step.priority and (alarm is null or alarm > $2)
  order by due, id limit 1
) as first
group by line.queue
