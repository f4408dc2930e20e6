-- Notes that the lines of some queues can be trusted for a while, since their store was looked at.
--
-- Arguments: the prefix of the keys; now; until when; the same as a length, in microseconds; how many seconds lines stay when
-- nobody uses them; whether the store gave all that is due; the next due instant that it told, or nothing; the queues.

local now, till, idle, unlined = ARGV[2], ARGV[3], ARGV[5], UNSET
local all, next_due = ARGV[6] == '1', ARGV[7]
local expires = string.format('%.0f', clock() + tonumber(ARGV[4]))

if next_due ~= '' then
  local first
  for at = 8, #ARGV do
    first = earlier(first, first_due(ARGV[at], now))
  end
  if not first or is_after(first, next_due) then
    -- A job is due then that stands in no line.
    unlined = next_due
    if is_after(till, next_due) then
      till = next_due
    end
  end
end
for at = 8, #ARGV do
  if all or call('HGET', p .. 'trust', ARGV[at]) ~= 'cut' then
    call('HSET', p .. 'trust', ARGV[at], till .. unlined .. ARGV[6] .. expires)
  end
  for priority = 0, 9 do
    call('EXPIRE', line_of(priority, ARGV[at]), idle)
  end
end
for _, name in ipairs({ 'places', 'trust' }) do
  call('EXPIRE', p .. name, idle)
end
return 1
