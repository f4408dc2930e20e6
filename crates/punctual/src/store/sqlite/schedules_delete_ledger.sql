delete from occurrences where schedule = ?1
