-- Which of these jobs may start sooner or later.
select id, queue, due from punctual.jobs where id = any($1) and state = 0 and (alarm is null or alarm > $2)
