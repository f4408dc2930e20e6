-- What a check asks: how long a write that was taken is taken for the next one, in microseconds. Answers the server's time.

local clock = call('TIME')
local now = clock[1] * 1000000 + clock[2]
local written = tonumber(call('GET', ns .. 'written') or 0)
if now < written or now - written >= tonumber(ARGV[1]) then
  call('SET', ns .. 'written', string.format('%.0f', now))
end
return instant(now)
