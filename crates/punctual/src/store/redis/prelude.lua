-- What every script begins with: the names of the keys, and how a row is read, indexed and written.
--
-- A job is two strings: `j:<id>` is the body, `s:<id>` the status. So is a schedule: `plan:<id>` is what was planned, `sched:<id>`
-- how far that has come; `occ:<id>` is its ledger, with a member for each entry. Instants and revs are 8 bytes that sort as
-- they count, so that nothing is lost where a number of Lua ends (2^53); row.rs and schedules/form.rs say what stands where.
-- Every index is a sorted set in which all scores are zero, so that its members stand in the order of their bytes.
--
-- A script checks everything before its first write: what a script has written stays, also when it fails afterwards.

local ns = KEYS[1]
local call, sub, pack, unpack_bytes = redis.call, string.sub, struct.pack, struct.unpack

local schema = call('GET', ns .. 'schema')
if schema ~= '2' then
  return redis.error_reply('PUNCTUALSCHEMA ' .. (schema or 'missing'))
end

local WAITING, RUNNING = '0', '1'
local UNSET = string.rep('\0', 8)
-- Timestamp::MAX, and Timestamp::MIN as it stands in the order of ended jobs, which is backwards.
local LATEST = '\131\132\67\247\1\131\250\63'
local NEVER = '\133\61\224\183\169\198\186\63'
-- The next look of a schedule that was poked.
local AT_ONCE = '\128\0\0\0\0\0\0\0'
local NO_LENGTH = 4294967295

-- The number of an 8-byte instant: exact up to the year 2255.
local function number(instant)
  local high, low = unpack_bytes('>I4I4', instant)
  return (high - 2147483648) * 4294967296 + low
end

local function instant(number)
  local high = math.floor(number / 4294967296)
  return pack('>I4I4', high + 2147483648, number - high * 4294967296)
end

-- Whether `a` comes after `b`. Lua compares texts by the server's language, which knows nothing of bytes.
local function is_after(a, b)
  local a_high, a_low = unpack_bytes('>I4I4', a)
  local b_high, b_low = unpack_bytes('>I4I4', b)
  return a_high > b_high or (a_high == b_high and a_low > b_low)
end

local function next_rev(rev)
  local high, low = unpack_bytes('>I4I4', rev)
  if low == 4294967295 then
    return pack('>I4I4', high + 1, 0)
  end
  return pack('>I4I4', high, low + 1)
end

-- Now: the instant that the caller takes for it, or the server's own; and what lies a length after it, which only the
-- caller can tell where it has stepped.
local function time(stepped, stepped_later, length)
  if stepped ~= '' then
    return stepped, stepped_later
  end
  local clock = call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  return instant(now), instant(now + length)
end

local function key_of_body(id)
  return ns .. 'j:' .. id
end

local function key_of_status(id)
  return ns .. 's:' .. id
end

local function key_of_unique(unique)
  return ns .. 'key:' .. unique
end

local function key_of_schedule(id)
  return ns .. 'sched:' .. id
end

-- The text that begins at `at`, false if it is not set, and where the next one begins.
local function text(status, at)
  local length = unpack_bytes('>I4', status, at)
  if length == NO_LENGTH then
    return false, at + 4
  end
  return sub(status, at + 4, at + 3 + length), at + 4 + length
end

-- What indexes need of a status.
local function read(status)
  local queue, worker_at = text(status, 82)
  return {
    state = sub(status, 2, 2),
    due = sub(status, 25, 32),
    alarm = sub(status, 33, 40),
    ended = sub(status, 57, 64),
    priority = string.byte(status, 81),
    queue = queue,
    worker_at = worker_at,
  }
end

local function unique_of(status, row)
  local _, unique_at = text(status, row.worker_at)
  return (text(status, unique_at))
end

local function line_of(priority, queue)
  return ns .. 'line:' .. priority .. ':' .. queue
end

-- The index in which a row has its place in line, and its member there.
local function place_of(id, row)
  if row.state == WAITING then
    local deadline = row.alarm == UNSET and '' or row.alarm
    return line_of(row.priority, row.queue), row.due .. id .. deadline
  end
  if row.state == RUNNING then
    if row.alarm == UNSET then
      return ns .. 'unleased', LATEST .. id
    end
    return ns .. 'running', row.alarm .. id
  end
  local order = NEVER
  if row.ended ~= UNSET then
    local high, low = unpack_bytes('>I4I4', row.ended)
    order = pack('>I4I4', 4294967295 - high, 4294967295 - low)
  end
  return ns .. 'ended:' .. row.state .. ':' .. row.queue, order .. id
end

-- Alarms of rows that do not run; those that do stand in the order of their alarms anyway.
local function has_alarm(row)
  return row.state ~= RUNNING and row.alarm ~= UNSET
end

-- What goes into indexes and what leaves them, and the strings of new rows, gathered so that a script writes each index once:
-- a command costs more than what it does. Nothing in a script may read what it has gathered, before it is written.
local moved, strings = {}, {}
local PIECE = 1000 -- of the arguments of one command: an even number, and far fewer than the 8,000 that Lua can hand over.

local function move(set, member, is_in)
  local moves = moved[set]
  if not moves then
    moves = { members = {}, is_in = {} }
    moved[set] = moves
  end
  if moves.is_in[member] == nil then
    moves.members[#moves.members + 1] = member
  end
  moves.is_in[member] = is_in
end

local function in_pieces(command, set, arguments)
  for first = 1, #arguments, PIECE do
    local last = math.min(first + PIECE - 1, #arguments)
    if set then
      call(command, set, unpack(arguments, first, last))
    else
      call(command, unpack(arguments, first, last))
    end
  end
end

local function write_strings()
  in_pieces('MSET', nil, strings)
  strings = {}
end

local function write_moves()
  for set, moves in pairs(moved) do
    local added, removed = {}, {}
    for _, member in ipairs(moves.members) do
      if moves.is_in[member] then
        added[#added + 1] = 0
        added[#added + 1] = member
      else
        removed[#removed + 1] = member
      end
    end
    in_pieces('ZREM', set, removed)
    in_pieces('ZADD', set, added)
  end
end

local function index(id, row, is_in)
  local place, member = place_of(id, row)
  move(place, member, is_in)
  if has_alarm(row) then
    move(ns .. 'alarm', row.alarm .. id, is_in)
  end
end

-- Jobs by state and queue, gathered so that a script writes each count once.
local counted = {}

local function count(row, more)
  local field = row.state .. row.queue
  counted[field] = (counted[field] or 0) + more
end

-- Writes all that was gathered: what every script ends with that changes rows.
local function finish()
  write_strings()
  write_moves()
  for field, more in pairs(counted) do
    if more ~= 0 and call('HINCRBY', ns .. 'counts', field, more) == 0 then
      call('HDEL', ns .. 'counts', field)
    end
  end
end

-- What is told of a row that stands in another's way. The status may be one that is still to be written.
local function holder(id, status)
  return { 'H', id, sub(status or call('GETRANGE', key_of_status(id), 0, 79), 1, 80) }
end

-- Writes a row where there is none; its strings are gathered.
local function put(id, status, body)
  local row, last = read(status), #strings
  strings[last + 1], strings[last + 2] = key_of_body(id), body
  strings[last + 3], strings[last + 4] = key_of_status(id), status
  move(ns .. 'all', id, true)
  index(id, row, true)
  local unique = unique_of(status, row)
  if unique then
    call('SET', key_of_unique(unique), id)
  end
  count(row, 1)
end

-- Writes a status in place of another.
local function rewrite(id, before, status)
  local old, new = read(before), read(status)
  local old_unique, new_unique = unique_of(before, old), unique_of(status, new)
  index(id, old, false)
  index(id, new, true)
  call('SET', key_of_status(id), status)
  if old_unique ~= new_unique then
    if old_unique then
      call('DEL', key_of_unique(old_unique))
    end
    if new_unique then
      call('SET', key_of_unique(new_unique), id)
    end
  end
  count(old, -1)
  count(new, 1)
end

-- Writes how far a schedule has come: in place of `before`, if it was there.
local function write_standing(id, before, row)
  local function move_look(standing, is_in)
    local next_look = sub(standing, 10, 17)
    if next_look ~= UNSET then
      move(ns .. 'sched:next', next_look .. id, is_in)
    end
  end
  if before then
    move_look(before, false)
  end
  if row then
    move_look(row, true)
    call('SET', key_of_schedule(id), row)
  end
end

local arguments_read = 0

-- The next argument of a script that reads them one by one.
local function argument()
  arguments_read = arguments_read + 1
  return ARGV[arguments_read]
end

-- How many jobs there are, and id, status and body of each of them.
local function jobs_of_arguments()
  local jobs = {}
  for place = 1, tonumber(argument()) do
    jobs[place] = { id = argument(), status = argument(), body = argument() }
  end
  return jobs
end
