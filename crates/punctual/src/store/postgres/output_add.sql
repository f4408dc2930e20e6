insert into punctual.outputs (job, run, at, bytes) select $1, $2, at, bytes from unnest($3, $4) as piece (at, bytes)
