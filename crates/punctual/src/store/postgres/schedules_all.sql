select id, name, rev, next, created, plan, standing from punctual.schedules where name > $1 order by name limit $2
