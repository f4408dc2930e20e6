-- The first due rows of one line, in its order. A line is one queue and one priority.
select rowid, * from jobs indexed by jobs_line
where state = 0 and queue = ?1 and priority = ?2 and due <= ?3 and (alarm is null or alarm > ?3)
order by due, id limit ?4
