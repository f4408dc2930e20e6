select id, name, rev, next, created, plan, standing from punctual.schedules where name = any($1)
