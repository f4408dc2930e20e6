-- Rows that were claimed and cannot be read wait again, as they were, until $2.
update punctual.jobs
set state = 0, rev = jobs.rev + 1, due = $2, attempt = attempt - 1, run = bad.run, alarm = bad.alarm,
  first_started = bad.first_started, started = bad.started, worker = bad.worker
from unnest($1, $3, $4, $5, $6, $7, $8) as bad (id, rev, run, alarm, first_started, started, worker)
where jobs.id = bad.id and jobs.rev = bad.rev
