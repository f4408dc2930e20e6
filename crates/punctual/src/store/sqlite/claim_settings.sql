select document from records where kind = 'queue' and name = ?1
