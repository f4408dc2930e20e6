-- Jobs in any state: what was imported, or handed on.
insert into punctual.jobs (
  id, queue, kind, priority, created, tags, options, fingerprint, life_key, payload,
  state, rev, run, life, attempt, refunds, due, alarm, first_started, started, ended, worker, unique_key, key_until,
  cancel, deferred, failure, history, progress, result)
select * from unnest(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
  $26, $27, $28, $29, $30)
on conflict do nothing
returning id
