-- So many pokes of these schedules, which are locked in the order of their ids.
with poked as materialized (
  select there.id, times
  from unnest($1, $2) as poke (id, times) join punctual.schedules there on there.id = poke.id
  order by there.id for update of there
)
update punctual.schedules set rev = schedules.rev + times, next = $3 from poked where schedules.id = poked.id
