-- Pieces wholly between the head, which ends at $3, and the tail, which begins at $4.
delete from punctual.outputs where job = $1 and run = $2 and at >= $3 and at + length(bytes) <= $4
