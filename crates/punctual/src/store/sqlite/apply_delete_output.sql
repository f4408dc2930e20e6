delete from outputs where job = ?1
