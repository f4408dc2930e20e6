-- Notes that the lines of some queues can be trusted for a while, since their store was looked at.
--
-- Arguments: the prefix of the keys; now; until when; the same as a length, in microseconds; whether the store gave all that is
-- due; the next due instant that it told, or nothing; the queues.

local now, till, unlined = ARGV[2], ARGV[3], UNSET
local all, next_due = ARGV[5] == '1', ARGV[6]
local expires = string.format('%.0f', clock() + tonumber(ARGV[4]))

if next_due ~= '' then
  local first
  for at = 7, #ARGV do
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
for at = 7, #ARGV do
  if all or call('HGET', p .. 'trust', ARGV[at]) ~= 'cut' then
    call('HSET', p .. 'trust', ARGV[at], till .. unlined .. ARGV[5] .. expires)
  end
end
return 1
