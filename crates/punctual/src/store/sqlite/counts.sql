select queue, state, jobs from counts order by queue
