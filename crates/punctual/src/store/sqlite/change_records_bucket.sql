delete from buckets where queue = ?1
