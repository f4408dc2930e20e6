-- The first due jobs of each queue become running ones: at most $2 of a queue, $3 of all. Each line (a queue and a priority)
-- is probed for its first rows alone, and nothing sorts the whole, so that only the rows which are taken are locked.
-- A line begins at its floor in $8, before which its rows are dead as far as is known (`floors.rs`).
-- Nothing is taken if a queue's settings are not those in $4, empty for none: a rev would not tell, since it begins anew.
with moment as materialized (
  select coalesce($5, (extract(epoch from statement_timestamp()) * 1000000)::bigint) as now,
    pg_stat_get_xact_tuples_returned('punctual.jobs_line'::regclass) as passed
), changed as materialized (
  select count(*) as queues
  from unnest($1, $4) as line (queue, known)
  left join punctual.records on kind = 'queue' and name = queue
  where coalesce(document, '') <> known
), picked as materialized (
  select due.*
  from unnest($1, $2) with ordinality as line (queue, room, place)
  cross join lateral (
    select first.*
    from generate_series(0, 9) as step (priority)
    cross join lateral (
      select id, run, alarm, first_started, started, worker
      from punctual.jobs
      where state = 0 and queue = line.queue and priority = step.priority and due <= (select now from moment)
        and due >= ($8::bigint[])[(line.place - 1) * 10 + step.priority + 1]
        and (alarm is null or alarm > (select now from moment))
      order by due, id limit line.room for update skip locked
    ) as first
    limit line.room
  ) as due
  where (select queues from changed) = 0
  limit $3
), started as (
  update punctual.jobs
  set state = 1, rev = jobs.rev + 1, run = jobs.rev + 1, attempt = attempt + 1, worker = $6, alarm = now + $7,
    started = now, first_started = coalesce(jobs.first_started, now)
  from picked, moment
  where jobs.id = picked.id
  returning jobs.*, picked.run, picked.alarm, picked.first_started, picked.started, picked.worker
), rest as (
  select case when changed.queues = 0 and (select count(*) from picked) < $3 then array(
    select (
      select min(first.due)
      from generate_series(0, 9) as step (priority)
      cross join lateral (
        select due
        from punctual.jobs
        where state = 0 and queue = line.queue and priority = step.priority and due > (select now from moment)
          and (alarm is null or alarm > (select now from moment))
        order by due, id limit 1
      ) as first)
    from unnest($1) with ordinality as line (queue, place)
    order by place) end as dues
  from changed
)
-- The last row tells the whole of what was passed.
select now, changed.queues > 0, dues, pg_stat_get_xact_tuples_returned('punctual.jobs_line'::regclass) - passed, started.*
from moment, changed, rest left join started on true
