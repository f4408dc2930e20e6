-- What tells this namespace from any other one, also from a copy of it: the database, the table, and when it was made.
select concat_ws('-', databases.oid, made.tableoid, (extract(epoch from made.at) * 1000000)::bigint)
from punctual.punctual_schema as made, pg_database as databases
where databases.datname = current_database()
order by made.version limit 1
