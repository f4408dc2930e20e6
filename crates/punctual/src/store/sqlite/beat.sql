update jobs set rev = rev + 1, alarm = iif(deferred, alarm, max(ifnull(alarm, ?3), ?3)), progress = ifnull(?4, progress)
where id = ?1 and state = 1 and run = ?2
returning cancel is not null
