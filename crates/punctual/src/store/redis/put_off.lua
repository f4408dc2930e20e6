-- Puts back what a claim has just started and nobody here can read: id, the run, the status that it had before the claim,
-- and when it is to be due. Answers whether nobody else wrote the row meanwhile.

local id, run, before, delay = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local due = ARGV[5]
if due == '' then
  local _, later = time('', '', delay)
  due = later
end
local running = call('GET', key_of_status(id))
if not running or sub(running, 5, 12) ~= run then
  return 0
end
local status = sub(before, 1, 4) .. next_rev(sub(running, 5, 12)) .. sub(before, 13, 24) .. due .. sub(before, 33)
rewrite(id, running, status)
finish()
return 1
