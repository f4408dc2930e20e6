-- How many jobs each queue has in each state, and for waiting ones the earliest due instant. Each part reads the index that
-- has those rows and no others.
select queue, 0, jobs, (
  select min(first.due)
  from generate_series(0, 9) as step (priority)
  cross join lateral (
    select due
    from punctual.jobs
    where state = 0 and jobs.queue = waiting.queue and priority = step.priority
    order by due, id limit 1
  ) as first), (extract(epoch from statement_timestamp()) * 1000000)::bigint
from (select queue, count(*) as jobs from punctual.jobs where state = 0 group by queue) as waiting
union all
select queue, 1, count(*), null, null from punctual.jobs where state = 1 group by queue
union all
select queue, state, count(*), null, null from punctual.jobs where state >= 2 group by queue, state
