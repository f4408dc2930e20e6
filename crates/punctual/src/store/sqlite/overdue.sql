select alarm, id, rowid from jobs where state = ?1 and alarm is not null order by alarm, id limit ?2
