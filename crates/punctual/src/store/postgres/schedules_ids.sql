select id, name, rev, next, created, plan, standing from punctual.schedules where id = any($1)
