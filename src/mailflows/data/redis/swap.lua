-- Puts one document in the place of another if that still stands there: mailflows, MIT licence.
-- KEYS 1: the document.
-- ARGV 1: 1 if one stood there   2: what stood there   3: 1 if one shall   4: what shall   5: ms to live, 0 for ever
local kept = redis.call('GET', KEYS[1])
if (kept and '1' or '0') ~= ARGV[1] or (kept and kept ~= ARGV[2]) then return 0 end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
end
return 1
