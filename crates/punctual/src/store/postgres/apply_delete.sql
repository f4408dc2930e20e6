-- Deletes the rows in the order of the ids given: all of them, or none if one has another rev than expected. One that gets
-- another rev in this very moment is left out alone.
with change as materialized (
  select * from unnest($1, $2) as change (id, expect)
), fresh as materialized (
  select count(*) as rows from change join punctual.jobs there on there.id = change.id and there.rev = change.expect
), deleted as (
  delete from punctual.jobs using change
  where jobs.id = change.id and jobs.rev = change.expect and (select rows from fresh) = cardinality($1)
  returning jobs.id
), deleted_outputs as (
  delete from punctual.outputs using deleted where outputs.job = deleted.id
)
select id from deleted
