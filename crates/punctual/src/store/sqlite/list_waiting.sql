select due, id, rowid from jobs indexed by jobs_line
where state = 0 and queue = ?1 and priority = ?2 and (due, id) > (?3, ?4)
order by due, id limit ?5
