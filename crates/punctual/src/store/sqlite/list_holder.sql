select 0, id, rowid from jobs where unique_key = ?1
