select name, rev, document from records where kind = ?1 and (?2 is null or name > ?2) order by name limit ?3
