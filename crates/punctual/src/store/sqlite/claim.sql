-- The first due rows of one line, in its order, become running. A line is one queue and one priority.
update jobs
set state = 1, rev = rev + 1, run = rev + 1, attempt = attempt + 1,
  worker = ?5, alarm = ?6, started = ?3, first_started = ifnull(first_started, ?3)
where rowid in (
  select rowid from jobs indexed by jobs_line
  where state = 0 and queue = ?1 and priority = ?2 and due <= ?3 and (alarm is null or alarm > ?3)
  order by due, id limit ?4)
returning rowid, *
