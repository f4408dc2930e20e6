-- Why these were not inserted: a row with the id, or one that holds the key. Neither, where it is gone meanwhile.
select new.id, there.fingerprint, holder.id, holder.rev, holder.state, holder.key_until
from unnest($1, $2) as new (id, unique_key)
left join punctual.jobs there on there.id = new.id
left join punctual.jobs holder on holder.unique_key = new.unique_key
