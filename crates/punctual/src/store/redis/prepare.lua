-- Makes a namespace if there is none, and brings an older one up to date: each layout so far has only added keys to the one
-- before it. Tries every command that scripts use, so that a user who may not use one of them is told at once, and not in the
-- middle of a write. Answers the version of the layout that is there.

local ns, call = KEYS[1], redis.call
local schema = call('GET', ns .. 'schema')
local version = tonumber(schema or 0)
if not version or version > tonumber(ARGV[1]) then
  return schema
end
local try = ns .. 'try'
local commands = {
  { 'DEL', try },
  { 'ZADD', try, 0, 'a' },
  { 'ZREM', try, 'b' },
  { 'ZRANGEBYLEX', try, '-', '+', 'LIMIT', 0, 1 },
  { 'ZLEXCOUNT', try, '-', '+' },
  { 'ZCARD', try },
  { 'ZRANGE', try, 0, 0 },
  { 'ZREMRANGEBYRANK', try, 0, 0 },
  { 'ZRANGEBYSCORE', try, '-inf', '+inf', 'LIMIT', 0, 1 },
  { 'UNLINK', try },
  { 'HSET', try, 'a', 1 },
  { 'HSETNX', try, 'a', 1 },
  { 'HINCRBY', try, 'a', 1 },
  { 'HGET', try, 'a' },
  { 'HKEYS', try },
  { 'HEXISTS', try, 'a' },
  { 'HDEL', try, 'a' },
  { 'SET', try, 'a' },
  { 'MSET', try, 'a' },
  { 'GET', try },
  { 'MGET', try },
  { 'EXISTS', try },
  { 'APPEND', try, 'b' },
  { 'STRLEN', try },
  { 'GETRANGE', try, 0, 0 },
  { 'DEL', try },
  { 'TIME' },
  { 'SET', ns .. 'schema', ARGV[1] },
}
for _, command in ipairs(commands) do
  local done = redis.pcall(unpack(command))
  if type(done) == 'table' and done.err then
    if string.find(done.err, 'The user executing the script', 1, true) then
      return redis.error_reply('NOPERM this user may not use ' .. command[1])
    end
    return done
  end
end
return ARGV[1]
