-- Locks the rows in the order of their ids, and writes or deletes those that have the expected rev. With $23 it does so
-- for all changes or for none; otherwise it stops before the first one that would take a unique key, unless $24 lets it.
with change as materialized (
  select * from unnest(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
  with ordinality as change (
    id, expect, state, rev, run, life, attempt, refunds, due, alarm, first_started, started, ended, worker,
    unique_key, key_until, cancel, deferred, failure, history, progress, result, place)
), held as materialized (
  select change.*, there.rev = change.expect as fresh,
    change.unique_key is not null and there.unique_key is distinct from change.unique_key and not $24 as takes
  from change join punctual.jobs there on there.id = change.id
  order by there.id for update of there
), reach as materialized (
  select case
    when not $23 then coalesce(min(place) filter (where fresh and takes), cardinality($1) + 1)
    when count(*) = cardinality($1) and bool_and(fresh and not takes) then cardinality($1) + 1
    else 0 end as stop
  from held
), doing as materialized (
  select held.* from held, reach where fresh and place < stop
), deleted as (
  delete from punctual.jobs using doing where jobs.id = doing.id and doing.state is null
), deleted_outputs as (
  delete from punctual.outputs using doing where outputs.job = doing.id and doing.state is null
), written as (
  update punctual.jobs
  set state = doing.state, rev = doing.rev, run = doing.run, life = doing.life, attempt = doing.attempt,
    refunds = doing.refunds, due = doing.due, alarm = doing.alarm, first_started = doing.first_started,
    started = doing.started, ended = doing.ended, worker = doing.worker, unique_key = doing.unique_key,
    key_until = doing.key_until, cancel = doing.cancel, deferred = doing.deferred, failure = doing.failure,
    history = doing.history, progress = doing.progress, result = doing.result
  from doing where jobs.id = doing.id and doing.state is not null
)
select place, fresh, fresh and place < stop as done from held, reach
