select 1 from jobs where id = ?1 and state = 1 and run = ?2
