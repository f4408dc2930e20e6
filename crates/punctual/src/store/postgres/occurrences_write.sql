insert into punctual.occurrences (schedule, nominal, triggered, until, count, at, cause, reason, job, missed)
select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (schedule, nominal, triggered) do update set
  until = excluded.until, count = excluded.count, at = excluded.at, cause = excluded.cause, reason = excluded.reason,
  job = excluded.job, missed = excluded.missed
