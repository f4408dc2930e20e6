select at, bytes from punctual.outputs where job = $1 and run = $2 and at < $4 and at + length(bytes) > $3 order by at
