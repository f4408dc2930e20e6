-- A job to which nothing has happened yet. What else a row can hold is written by apply.sql.
insert into jobs (
  id, queue, kind, priority, created, state, rev, run, life, attempt, refunds, due, alarm, unique_key, key_until,
  deferred, tags, options, fingerprint, life_key, payload)
values (?1, ?2, ?3, ?4, ?5, 0, ?6, 0, 1, 0, 0, ?7, ?8, ?9, ?10, 0, ?11, ?12, ?13, ?14, ?15)
on conflict do nothing
