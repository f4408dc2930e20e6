-- Writes the schedules that have the expected rev and that nobody else has locked; one without a standing is deleted with its
-- ledger.
with change as materialized (
  select * from unnest($1, $2, $3, $4, $5, $6) as change (id, expect, rev, next, plan, standing)
), doing as materialized (
  select change.*
  from change join punctual.schedules there on there.id = change.id and there.rev = change.expect
  for update of there skip locked
), deleted as (
  delete from punctual.schedules using doing where schedules.id = doing.id and doing.standing is null
), deleted_ledgers as (
  delete from punctual.occurrences using doing where occurrences.schedule = doing.id and doing.standing is null
), written as (
  update punctual.schedules
  set rev = doing.rev, next = doing.next, plan = coalesce(doing.plan, schedules.plan), standing = doing.standing
  from doing where schedules.id = doing.id and doing.standing is not null
)
select id from doing
