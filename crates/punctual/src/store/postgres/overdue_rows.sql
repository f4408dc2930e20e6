-- The rows of these jobs that nobody is about to change or delete. It takes the weakest lock there is: a heartbeat that meets it passes
-- over the row at first, and prolongs it all the same by beat_locked.sql, which does not wait for such a lock.
select * from punctual.jobs where id = any($1) for key share skip locked
