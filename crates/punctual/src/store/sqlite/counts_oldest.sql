-- The earliest due instant in a queue, start deadlines or not: one lazy probe for each of its ten lines.
select min((
  select due from jobs indexed by jobs_line
  where state = 0 and queue = ?1 and priority = line.column1
  order by due, id limit 1))
from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as line
