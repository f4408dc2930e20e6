-- New schedules in the order of their names, of which one that is taken is left out: at once, where it can be seen, so that nobody
-- waits for whoever changes that one.
insert into punctual.schedules (id, name, rev, created, next, plan, standing)
select new.* from unnest($1, $2, $3, $4, $5, $6, $7) as new (id, name, rev, created, next, plan, standing)
where not exists (select 1 from punctual.schedules there where there.name = new.name)
on conflict do nothing
returning id
