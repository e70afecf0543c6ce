-- Returns the secret of the hashes, kept twice so that one lost key is no lost secret: mailflows, MIT licence.
-- KEYS 1: the secret   2: its copy   3: the clock, which every decision has written
-- ARGV 1: a secret to begin with   2: the one that the asking process knows, or nothing
-- Answers "state secret": kept; healed from the copy; restored by the process; made; lost, without one.
local first, copy = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
local state, secret = 'kept', first or copy
if not first and copy then state = 'healed' end
if not secret then
  if ARGV[2] ~= '' then
    state, secret = 'restored', ARGV[2]
  elseif redis.call('EXISTS', KEYS[3]) == 1 then
    return 'lost'
  else
    state, secret = 'made', ARGV[1]
  end
end
if not first then redis.call('SET', KEYS[1], secret) end
if not copy then redis.call('SET', KEYS[2], secret) end
return state .. ' ' .. secret
