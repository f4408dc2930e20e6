-- In a lane of ended jobs, the newest that ended before an instant.
select -ended, id, rowid from jobs indexed by jobs_ended
where state >= 2 and queue = ?1 and state = ?2 and ended < ?3
order by ended desc, id limit ?4
