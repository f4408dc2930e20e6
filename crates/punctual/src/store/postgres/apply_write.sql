-- Writes the rows in the order of the ids given, none of which takes a unique key: all of them, or none if one has another rev
-- than expected. One that gets another rev in this very moment is left out alone.
with change as materialized (
  select * from unnest(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
  as change (
    id, expect, state, rev, run, life, attempt, refunds, due, alarm, first_started, started, ended, worker,
    unique_key, key_until, cancel, deferred, failure, history, progress, result)
), fresh as materialized (
  select count(*) as rows from change join punctual.jobs there on there.id = change.id and there.rev = change.expect
)
update punctual.jobs
set state = change.state, rev = change.rev, run = change.run, life = change.life, attempt = change.attempt,
  refunds = change.refunds, due = change.due, alarm = change.alarm, first_started = change.first_started,
  started = change.started, ended = change.ended, worker = change.worker, unique_key = change.unique_key,
  key_until = change.key_until, cancel = change.cancel, deferred = change.deferred, failure = change.failure,
  history = change.history, progress = change.progress, result = change.result
from change
where jobs.id = change.id and jobs.rev = change.expect and (select rows from fresh) = cardinality($1)
returning jobs.id
