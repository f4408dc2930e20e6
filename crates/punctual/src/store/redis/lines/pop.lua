-- Takes the first due jobs out of the lines of some queues, if these lines can be trusted.
--
-- Arguments: the prefix of the keys; now; how many jobs at most; the queues.
-- Answers: 1, or 0 if the lines cannot be trusted, or not beyond those jobs; the next due instant, or nothing; and the ids.

local now, max = ARGV[2], tonumber(ARGV[3])
local ids, next_due, whole = {}, nil, true
local own = clock()

for at = 4, #ARGV do
  -- Until when the lines may be trusted by the store's time, when a job is due that stands in none, whether the look saw all, and
  -- until when they may be trusted by this server's time.
  local trust = call('HGET', p .. 'trust', ARGV[at])
  if not trust or #trust <= 17 or not is_after(sub(trust, 1, 8), now) or tonumber(sub(trust, 18)) <= own then
    return { 0, '', {} }
  end
  whole = whole and sub(trust, 17, 17) == '1'
  local unlined = sub(trust, 9, 16)
  if unlined ~= UNSET then
    next_due = earlier(next_due, unlined)
  end
end

local function take(priority, queue)
  local line = line_of(priority, queue)
  while #ids < max and passes_left > 0 do
    local entries = call('ZRANGEBYLEX', line, '-', '(' .. now .. FAR, 'LIMIT', 0, math.min(max - #ids, passes_left))
    if #entries == 0 then
      return
    end
    passes_left = passes_left - #entries
    for _, entry in ipairs(entries) do
      local id = id_of(entry, priority, queue, now)
      if id then
        ids[#ids + 1] = id
        call('HDEL', p .. 'places', id)
      end
    end
    call('ZREM', line, unpack(entries))
  end
end

for at = 4, #ARGV do
  for priority = 0, 9 do
    take(priority, ARGV[at])
  end
end
if #ids < max then
  for at = 4, #ARGV do
    next_due = earlier(next_due, first_due(ARGV[at], now))
  end
end
return { whole and passes_left > 0 and 1 or 0, next_due or '', ids }
