select * from jobs where rowid = ?1
