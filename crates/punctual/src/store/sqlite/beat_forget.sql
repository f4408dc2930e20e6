delete from workers where beat < ?1
