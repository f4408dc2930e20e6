-- What scripts on lines begin with: where a job stands, and which entries of a line can be believed.
--
-- A line is a sorted set in which all scores are zero, so that its entries stand in the order of their bytes: the due instant,
-- the id, and the start deadline, if there is one. `places` says for each id where it stands: a digit for the priority, the
-- due instant, the start deadline or UNSET, and the queue. An entry that its id's place does not bear out was left
-- behind, or put there by somebody else: it is thrown away by whoever comes across it.

local p = KEYS[1] .. ARGV[1]
local call, sub = redis.call, string.sub
local UNSET = string.rep('\0', 8)
local FAR = string.rep('\255', 17)
local passes_left = 4096

-- Whether `a` comes after `b`. Lua compares texts by the server's language, which knows nothing of bytes.
local function is_after(a, b)
  local a_high, a_low = struct.unpack('>I4I4', a)
  local b_high, b_low = struct.unpack('>I4I4', b)
  return a_high > b_high or (a_high == b_high and a_low > b_low)
end

-- The server's own clock, in microseconds: it says how long trust lasts, whatever others take for now.
local function clock()
  local time = call('TIME')
  return time[1] * 1000000 + time[2]
end

local function line_of(priority, queue)
  return p .. 'line:' .. priority .. ':' .. queue
end

-- The line in which this place is, and the entry of this id there.
local function entry_of(id, place)
  local deadline = sub(place, 10, 17)
  return line_of(sub(place, 1, 1), sub(place, 18)), sub(place, 2, 9) .. id .. (deadline == UNSET and '' or deadline)
end

-- The id of an entry, if it can be believed and an attempt may still begin.
local function id_of(entry, priority, queue, now)
  if #entry ~= 24 and #entry ~= 32 then
    return nil
  end
  local deadline = #entry == 32 and sub(entry, 25, 32) or UNSET
  local id = sub(entry, 9, 24)
  if call('HGET', p .. 'places', id) ~= priority .. sub(entry, 1, 8) .. deadline .. queue then
    return nil
  end
  if deadline ~= UNSET and not is_after(deadline, now) then
    call('HDEL', p .. 'places', id)
    return nil
  end
  return id
end

-- The earliest due instant in the lines of a queue.
local function first_due(queue, now)
  local first
  for priority = 0, 9 do
    local line = line_of(priority, queue)
    while passes_left > 0 do
      local entry = call('ZRANGEBYLEX', line, '-', '+', 'LIMIT', 0, 1)[1]
      if not entry then
        break
      end
      passes_left = passes_left - 1
      if id_of(entry, priority, queue, now) then
        local due = sub(entry, 1, 8)
        if not first or is_after(first, due) then
          first = due
        end
        break
      end
      call('ZREM', line, entry)
    end
  end
  return first
end

local function earlier(a, b)
  if not a or (b and is_after(a, b)) then
    return b
  end
  return a
end
