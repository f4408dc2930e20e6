select rev, unique_key from punctual.jobs where id = $1 for update
