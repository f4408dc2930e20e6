select ?3, id, rowid from jobs indexed by jobs_ended
where state >= 2 and queue = ?1 and state = ?2 and ended is null and id > ?4
order by id limit ?5
