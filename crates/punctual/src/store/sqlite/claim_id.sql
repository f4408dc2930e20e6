select rowid, queue, due from jobs where id = ?1 and state = 0 and (alarm is null or alarm > ?2)
