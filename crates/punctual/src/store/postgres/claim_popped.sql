-- Those of these jobs become running ones that wait, are due, and stand in one of the queues $1. Nothing is taken if a queue's
-- settings are not those in $3, empty for none. The answer has the form of claim.sql's.
with moment as materialized (
  select coalesce($4, (extract(epoch from statement_timestamp()) * 1000000)::bigint) as now
), changed as materialized (
  select count(*) as queues
  from unnest($1, $3) as line (queue, known)
  left join punctual.records on kind = 'queue' and name = queue
  where coalesce(document, '') <> known
), picked as materialized (
  select jobs.id, run, alarm, first_started, started, worker
  from unnest($2) as wanted (id)
  join punctual.jobs on jobs.id = wanted.id
  where (select queues from changed) = 0 and state = 0 and queue = any($1) and due <= (select now from moment)
    and (alarm is null or alarm > (select now from moment))
  for update of jobs skip locked
), started as (
  update punctual.jobs
  set state = 1, rev = jobs.rev + 1, run = jobs.rev + 1, attempt = attempt + 1, worker = $5, alarm = now + $6,
    started = now, first_started = coalesce(jobs.first_started, now)
  from picked, moment
  where jobs.id = picked.id
  returning jobs.*, picked.run, picked.alarm, picked.first_started, picked.started, picked.worker
)
select now, changed.queues > 0, null::bigint[], 0::bigint, started.* from moment, changed left join started on true
