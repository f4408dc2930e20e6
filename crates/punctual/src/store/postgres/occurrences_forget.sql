-- Of each of these ledgers the oldest entries, up to the first one that is neither too many nor older than an instant, but at
-- most $4.
delete from punctual.occurrences
using unnest($1, $2, $3) as forget (schedule, before, keep)
cross join lateral (
  select count(*) - forget.keep as many from punctual.occurrences where schedule = forget.schedule
) as counted
cross join lateral (
  select nominal, triggered,
    bool_and(place <= counted.many or until < forget.before) over (order by nominal, triggered) as goes
  from (
    select nominal, triggered, until, row_number() over (order by nominal, triggered) as place
    from punctual.occurrences where schedule = forget.schedule
    order by nominal, triggered limit $4
  ) as oldest
) as entry
where goes and occurrences.schedule = forget.schedule and occurrences.nominal = entry.nominal
  and occurrences.triggered = entry.triggered
