update jobs
set state = 1, rev = rev + 1, run = rev + 1, attempt = attempt + 1,
  worker = ?2, alarm = ?3, started = ?4, first_started = ifnull(first_started, ?4)
where rowid = ?1
returning rowid, *
