select ?1, id, rowid from jobs indexed by jobs_alarm
where state = 1 and alarm is null and id > ?2
order by id limit ?3
