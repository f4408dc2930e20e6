select name, rev, document from punctual.records where kind = $1 and ($2::text is null or name > $2) order by name limit $3
