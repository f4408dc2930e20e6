delete from occurrences where schedule = ?1 and (nominal, triggered) <= (?2, ?3)
