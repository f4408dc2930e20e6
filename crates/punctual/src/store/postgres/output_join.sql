-- Adds to the last piece, which ends at $3, if it is at most $5 bytes long.
update punctual.outputs set bytes = bytes || $4
where job = $1 and run = $2 and length(bytes) <= $5 and at + length(bytes) = $3
  and at = (select max(at) from punctual.outputs where job = $1 and run = $2)
returning at
