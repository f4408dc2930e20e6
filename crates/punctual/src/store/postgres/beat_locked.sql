-- As beat.sql, for rows that somebody else had locked: this waits for them.
update punctual.jobs
set rev = rev + 1, alarm = greatest(alarm, $4), progress = coalesce(beating.progress, jobs.progress)
from unnest($1, $2, $3) as beating (id, run, progress)
where jobs.id = beating.id and jobs.run = beating.run and state = 1
returning jobs.id, jobs.run, cancel is not null
