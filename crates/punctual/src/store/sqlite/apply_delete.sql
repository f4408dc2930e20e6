delete from jobs where rowid = ?1
