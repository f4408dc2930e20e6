select id, name, rev, next, created, plan, standing from punctual.schedules
where next is not null and (next, id) > ($1, $2)
order by next, id limit $3
