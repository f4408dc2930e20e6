delete from punctual.occurrences using unnest($1, $2, $3) as entry (schedule, nominal, triggered)
where occurrences.schedule = entry.schedule and occurrences.nominal = entry.nominal
  and occurrences.triggered = entry.triggered
