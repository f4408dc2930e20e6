-- The workers that have beaten within so many microseconds, as name, what is known, and last beat.

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local since = string.format('%.0f', now - tonumber(ARGV[1]))
local seen = call('ZRANGEBYSCORE', ns .. 'seen', since, '+inf', 'WITHSCORES')
local workers = {}
for at = 1, #seen, 2 do
  workers[#workers + 1] = seen[at]
  workers[#workers + 1] = call('HGET', ns .. 'workers', seen[at])
  workers[#workers + 1] = seen[at + 1]
end
return workers
