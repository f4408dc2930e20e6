select rowid, rev, state, queue, unique_key from jobs where id = ?1
