-- The rows of these jobs that nobody is about to change or delete. It takes the weakest lock there is, which no heartbeat waits for.
select * from punctual.jobs where id = any($1) for key share skip locked
