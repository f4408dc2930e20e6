select nominal, triggered, until from occurrences where schedule = ?1 order by nominal, triggered limit ?2
