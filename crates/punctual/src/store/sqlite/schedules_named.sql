select id, name, rev, next, created, plan, standing from schedules where name = ?1
