select jobs from counts where queue = ?1 and state = 1
