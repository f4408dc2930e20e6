-- All rows of a batch, in the one order in which everybody locks rows.
select id from punctual.jobs where id = any($1) order by id for update
