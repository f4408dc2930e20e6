select 0, id, rowid from jobs where id > ?1 order by id limit ?2
