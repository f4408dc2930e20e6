update schedules set rev = rev + 1, next = ?2 where id = ?1
