delete from counts where queue = ?1 and state = ?2 and jobs = 0
