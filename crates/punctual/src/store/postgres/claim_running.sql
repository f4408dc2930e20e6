-- How many jobs of these queues run.
select queue, count(*) from punctual.jobs where state = 1 and queue = any($1) group by queue
