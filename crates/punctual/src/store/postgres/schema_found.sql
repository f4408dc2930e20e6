-- Whether there is a schema of this name, whether it is ours, and how many things are in it.
select
  exists (select from pg_catalog.pg_namespace where nspname = $1),
  exists (
    select from pg_catalog.pg_class
    join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $1 and relname = 'punctual_schema'),
  (
    select count(*) from pg_catalog.pg_class
    join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
    where nspname = $1)
