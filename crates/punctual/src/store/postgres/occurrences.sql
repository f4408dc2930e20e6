select nominal, until, count, at, cause, reason, job, missed from punctual.occurrences
where schedule = $1 and (nominal, triggered) < ($2, $3)
order by nominal desc, triggered desc limit $4
