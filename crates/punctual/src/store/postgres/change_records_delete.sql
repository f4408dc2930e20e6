delete from punctual.records where kind = $1 and name = $2
