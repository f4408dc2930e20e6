-- Locks the row so that it cannot go while its run puts something out, and no more than that.
select 1 from punctual.jobs where id = $1 and state = 1 and run = $2 for key share
