-- In a lane of ended jobs, those that ended at one instant, behind an id.
select -ended, id, rowid from jobs indexed by jobs_ended
where state >= 2 and queue = ?1 and state = ?2 and ended = ?3 and id > ?4
order by id limit ?5
