select id, rev, state, key_until from punctual.jobs where unique_key = $1
