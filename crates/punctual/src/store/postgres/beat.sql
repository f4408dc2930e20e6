-- Prolongs the runs that are held, and answers the time, the runs that are held, and those that are prolonged. A row that
-- somebody else has locked is only the former.
with moment as materialized (
  select coalesce($4, (extract(epoch from statement_timestamp()) * 1000000)::bigint) as now
), beating as (
  select jobs.id, jobs.run, jobs.cancel is not null as cancelled
  from unnest($1, $2) as beating (id, run)
  join punctual.jobs on jobs.id = beating.id and jobs.run = beating.run
  where state = 1
), held as materialized (
  select jobs.id, beating.progress
  from unnest($1, $2, $3) as beating (id, run, progress)
  join punctual.jobs on jobs.id = beating.id and jobs.run = beating.run
  where state = 1
  order by jobs.id for update of jobs skip locked
), prolonged as (
  update punctual.jobs
  set rev = rev + 1, alarm = case when deferred then alarm else greatest(alarm, now + $5) end, progress = coalesce(held.progress, jobs.progress)
  from held, moment
  where jobs.id = held.id
  returning jobs.id, jobs.run, cancel is not null as cancelled
)
select now, null, null, null, null from moment
union all select null, id, run, cancelled, false from beating
union all select null, id, run, cancelled, true from prolonged
