select id, rev, state, key_until from jobs where unique_key = ?1
