-- The earliest alarms of all, and the store's time.
with moment as materialized (
  select coalesce($2, (extract(epoch from statement_timestamp()) * 1000000)::bigint) as now
), earliest as (
  select first.alarm, first.id
  from generate_series(0, 4) as step (state)
  cross join lateral (
    select alarm, id
    from punctual.jobs
    where state = step.state and alarm is not null
    order by alarm, id limit $1
  ) as first
  order by first.alarm, first.id limit $1
)
select now, alarm, id from moment left join earliest on true order by alarm, id
