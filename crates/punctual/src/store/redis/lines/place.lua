-- Puts jobs where they stand, or takes them out of their lines.
--
-- Arguments: the prefix of the keys; how many entries a line may have; how many seconds it stays when nobody uses it; and of
-- each job its id, and its place or nothing.
-- Answers how many of the jobs stood in a line before.

local known, used = 0, {}
for at = 4, #ARGV, 2 do
  local id, place = ARGV[at], ARGV[at + 1]
  local before = call('HGET', p .. 'places', id)
  if before then
    known = known + 1
    if before ~= place then
      local line, entry = entry_of(id, before)
      call('ZREM', line, entry)
      call('HDEL', p .. 'places', id)
    end
  end
  if place ~= '' then
    local line, entry = entry_of(id, place)
    if call('ZCARD', line) < tonumber(ARGV[2]) then
      call('ZADD', line, 0, entry)
      call('HSET', p .. 'places', id, place)
      used[line] = true
    else
      -- It stands in no line, so the queue's lines are not whole until its store has given all that is due.
      call('HSET', p .. 'trust', sub(place, 18), 'cut')
      used[p .. 'trust'] = true
    end
    used[p .. 'places'] = true
  end
end
for key in pairs(used) do
  call('EXPIRE', key, ARGV[3])
end
return known
