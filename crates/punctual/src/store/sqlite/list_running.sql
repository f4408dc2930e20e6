select alarm, id, rowid from jobs indexed by jobs_alarm
where state = 1 and (alarm, id) > (?1, ?2)
order by alarm, id limit ?3
