delete from punctual.workers where id = $1
