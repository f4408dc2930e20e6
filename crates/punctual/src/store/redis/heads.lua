-- The beginnings of rows, so many bytes of each string, which hold their heads as a rule: ids.

local length = tonumber(ARGV[1])
local heads = {}
for at = 2, #ARGV do
  heads[#heads + 1] = call('GETRANGE', key_of_status(ARGV[at]), 0, length - 1)
  heads[#heads + 1] = call('GETRANGE', key_of_body(ARGV[at]), 0, length - 1)
end
return heads
