delete from occurrences where schedule = ?1 and nominal = ?2 and triggered = ?3
