delete from punctual.buckets where queue = $1
