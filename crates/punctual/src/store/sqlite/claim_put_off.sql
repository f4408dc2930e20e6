update jobs set rev = rev + 1, due = ?2 where rowid = ?1
