-- Adds to a run's live output while it is held: id, run, half of what is kept in bytes, bytes. Answers whether it was held.
--
-- The head is one string, what comes after it another. Of that, twice as much as is kept may stand before it is cut, so
-- that it is not copied each time. The hash `output:<id>` says for each run how many bytes were cut off.

local id, run, half, bytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local status = call('GETRANGE', key_of_status(id), 0, 19)
if sub(status, 2, 2) ~= RUNNING or sub(status, 13, 20) ~= run then
  return 0
end
if bytes == '' then
  return 1
end
local head, tail = ns .. 'head:' .. id .. run, ns .. 'tail:' .. id .. run
local room = half - call('STRLEN', head)
if room > 0 then
  call('APPEND', head, sub(bytes, 1, room))
  call('HSETNX', ns .. 'output:' .. id, run, 0)
end
if #bytes > room then
  local length = call('APPEND', tail, sub(bytes, room + 1))
  if length > 2 * half then
    call('SET', tail, call('GETRANGE', tail, length - half, length - 1))
    call('HINCRBY', ns .. 'output:' .. id, run, length - half)
  end
end
return 1
