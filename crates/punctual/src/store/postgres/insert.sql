-- Jobs to which nothing has happened yet.
insert into punctual.jobs (
  id, queue, kind, priority, created, state, rev, due, alarm, unique_key, key_until, tags, options, fingerprint,
  life_key, payload)
select id, queue, kind, priority, created, 0, rev, due, alarm, unique_key, key_until, tags, options, fingerprint,
  life_key, payload
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) as new (
  id, queue, kind, priority, created, rev, due, alarm, unique_key, key_until, tags, options, fingerprint, life_key,
  payload)
on conflict do nothing
returning id
