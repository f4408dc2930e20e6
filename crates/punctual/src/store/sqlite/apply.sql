update jobs
set state = ?2, rev = ?3, run = ?4, life = ?5, attempt = ?6, refunds = ?7, due = ?8, alarm = ?9, first_started = ?10,
  started = ?11, ended = ?12, worker = ?13, unique_key = ?14, key_until = ?15, cancel = ?16, deferred = ?17,
  failure = ?18, history = ?19, progress = ?20, result = ?21
where rowid = ?1
