-- New schedules in the order of their names, of which one that is taken is left out.
insert into punctual.schedules (id, name, rev, created, next, plan, standing)
select * from unnest($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
returning id
