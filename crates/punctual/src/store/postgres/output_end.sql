select at + length(bytes) from punctual.outputs where job = $1 and run = $2 order by at desc limit 1
