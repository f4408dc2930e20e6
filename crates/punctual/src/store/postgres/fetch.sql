select * from punctual.jobs where id = any($1)
