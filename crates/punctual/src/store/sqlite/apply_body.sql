update jobs
set queue = ?2, kind = ?3, priority = ?4, created = ?5, payload = ?6, tags = ?7, options = ?8, fingerprint = ?9,
  life_key = ?10
where rowid = ?1
