-- Which of these jobs are there, as far as can be seen without waiting for anybody.
select id from punctual.jobs where id = any($1)
