select count(*) from occurrences where schedule = ?1
