-- Reads schedules: of which index; after how many bytes no further one is read; and the ranges in which to look, for each
-- where it begins and ends, and how many at most.
-- Answers how many of the ranges were read to their ends; and of each schedule its member of the index, its row and its plan.

local index, bytes_left = ns .. argument(), tonumber(argument())
local rows = {}

local function read_range(from, to, count)
  for _, member in ipairs(call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, count)) do
    if bytes_left <= 0 then
      return false
    end
    local id = sub(member, -16)
    local strings = call('MGET', key_of_schedule(id), ns .. 'plan:' .. id)
    local row, plan = strings[1] or '', strings[2] or ''
    bytes_left = bytes_left - #row - #plan
    rows[#rows + 1] = { member, row, plan }
  end
  return true
end

local ranges = 0
while arguments_read < #ARGV and read_range(argument(), argument(), argument()) do
  ranges = ranges + 1
end
return { ranges, rows }
