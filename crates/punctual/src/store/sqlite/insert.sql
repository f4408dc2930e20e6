insert into jobs (
  id, queue, kind, priority, created, state, rev, run, life, attempt, refunds, due, alarm, first_started, started,
  ended, worker, unique_key, key_until, cancel, deferred, failure, tags, options, fingerprint, life_key, history,
  progress, result, payload)
values (
  ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
  ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27,
  ?28, ?29, ?30)
on conflict do nothing
