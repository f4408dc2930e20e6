-- Rows without an alarm come last, as if theirs were $3, the last instant of all.
select * from (
  (
    select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
      key_until, cancel is not null, failure, tags, deferred
    from punctual.jobs
    where state = 1 and alarm is not null and (alarm, id) > ($1, $2)
    order by alarm, id limit $4
  ) union all (
    select id, queue, kind, priority, created, state, rev, run, attempt, due, alarm, started, ended, worker, unique_key,
      key_until, cancel is not null, failure, tags, deferred
    from punctual.jobs
    where state = 1 and alarm is null and ($1 < $3 or $1 = $3 and id > $2)
    order by id limit $4
  )) as running
order by coalesce(alarm, $3), id limit $4
