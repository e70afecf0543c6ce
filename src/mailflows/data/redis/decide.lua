-- Decides on all charges together, or settles them: mailflows, MIT licence.
-- The arithmetic is that of mailflows/_stores/_meter.py; one suite of tests holds the two together.
--
-- Times are microseconds since 2020 in doubles, which are exact to 0.03 of one.
-- KEYS  1: the clock   2: the secret of the hashes; then one key for each charge.
-- ARGV  1: take, look, keep or return   2: within   3: lease, -1 for none   4: at, for keep and return
--       5: what the secret must be; nothing where it is not the server's
--       then for each charge: kind, capacity, span, strict, and
--         gcra      interval, amount
--         window    amount
--         bucket    width, amount
--         distinct  places, unsampled (0 or 1), number of values, the values
-- Answers "at now wait" and for each charge "used empty_in wait", separated by spaces; -1 is never.

local SLACK = 1
local EPOCH = 1577836800000000
local CLOCK_TTL = 30 * 24 * 3600 * 1000

local verb, within, lease, spent_at = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local never = math.huge

if ARGV[5] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[5] then
  return redis.error_reply('SECRETLOST')
end

local function clock()
  local time = redis.call('TIME')
  local raw = time[1] * 1000000 + time[2] - EPOCH
  local kept = redis.call('GET', KEYS[1])
  local last, offset = 0, 0
  if kept then last, offset = struct.unpack('dd', kept) end
  local now = raw + offset
  local changed = now < last
  if changed then  -- set back: go on from the last moment that was noted
    offset, now = last - raw, last
  end
  if changed or now > last + 1000000 then
    redis.call('SET', KEYS[1], struct.pack('dd', now, offset), 'PX', CLOCK_TTL)
  end
  return now
end

local now = clock()

local function stamp(charge, at)
  if lease < 0 then return at end
  return math.min(at, at - charge.span + (charge.width or 0) + lease)
end

local function save(key, value, until_time)
  redis.call('SET', key, value, 'PX', math.max(1, math.ceil((until_time - now) / 1000)))
end

local gcra = {}

function gcra.read(charge, key)
  local kept = redis.call('GET', key)
  charge.tat = kept and struct.unpack('d', kept) or 0
end

function gcra.wait(charge)
  local wait = math.max(charge.tat, now) - now + charge.amount * charge.interval - charge.span
  if wait <= SLACK then return 0 end
  return charge.amount <= charge.capacity and wait or never
end

function gcra.write(charge, key)
  save(key, struct.pack('d', charge.tat), math.max(charge.tat, now + 1000))
end

function gcra.spend(charge, key, at)
  charge.tat = math.max(charge.tat, at) + charge.amount * charge.interval
  gcra.write(charge, key)
end

function gcra.overspend(charge, key)
  charge.tat = math.min(math.max(charge.tat, now) + charge.amount * charge.interval, now + charge.span)
  gcra.write(charge, key)
end

function gcra.settle(charge, key, keep)
  if keep or charge.tat <= now then return end
  -- What may have drained since, or by the last booked moment, is free already, and not freed twice.
  local elapsed = math.max(now, charge.tat - charge.span) - spent_at
  charge.tat = charge.tat - math.max(0, charge.amount * charge.interval - elapsed)
  gcra.write(charge, key)
end

function gcra.reading(charge)
  local left = math.max(0, charge.tat - now)
  return left / charge.interval, left
end

local window = {}

function window.read(charge, key)
  local kept = redis.call('GET', key)
  charge.times = {}
  if kept then
    local position = 1
    for i = 1, #kept / 8 do
      charge.times[i], position = struct.unpack('d', kept, position)
    end
  end
end

function window.wait(charge)
  if charge.amount > charge.capacity then return never end
  local surplus = #charge.times + charge.amount - charge.capacity
  if charge.amount <= 0 or surplus <= 0 then return 0 end
  local wait = charge.times[surplus] + charge.span - now
  return wait > SLACK and wait or 0
end

function window.write(charge, key)
  table.sort(charge.times)
  local packed = {}
  for i = 1, #charge.times do
    packed[#packed + 1] = struct.pack('d', charge.times[i])
  end
  if #packed == 0 then
    redis.call('DEL', key)
  else
    save(key, table.concat(packed), charge.times[#charge.times] + charge.span)
  end
end

function window.spend(charge, key, at)
  local live = {}  -- what counts now goes on doing so when a moment to come is booked
  for _, time in ipairs(charge.times) do
    if time > now - charge.span + SLACK then live[#live + 1] = time end
  end
  for _ = 1, charge.amount do live[#live + 1] = stamp(charge, at) end
  charge.times = live
  window.write(charge, key)
end

function window.overspend(charge, key)
  local times, past = {}, 0
  for _, time in ipairs(charge.times) do
    if time > now - charge.span + SLACK then times[#times + 1] = time end
  end
  for _ = 1, math.min(charge.amount, charge.capacity) do times[#times + 1] = now end
  table.sort(times)
  for _, time in ipairs(times) do
    if time <= now then past = past + 1 end
  end
  charge.times = {}
  for i = math.max(1, past - charge.capacity + 1), #times do charge.times[#charge.times + 1] = times[i] end
  window.write(charge, key)
end

function window.settle(charge, key, keep)
  local written = stamp(charge, spent_at)
  for _ = 1, charge.amount do
    for i, time in ipairs(charge.times) do
      if time == written then
        table.remove(charge.times, i)
        break
      end
    end
    if keep then charge.times[#charge.times + 1] = spent_at end
  end
  window.write(charge, key)
end

function window.reading(charge)
  local used = 0
  for _, time in ipairs(charge.times) do
    if time > now - charge.span + SLACK then used = used + 1 end
  end
  local newest = charge.times[#charge.times]
  return used, newest and math.max(0, newest + charge.span - now) or 0
end

-- A window in 64 sub-windows: as text, the number of the first, then for each its distance and its units.
local BUCKETS = 64
local bucket = {}

function bucket.read(charge, key)
  local kept = redis.call('GET', key)
  charge.counts = {}
  if not kept or #kept < 8 then return end
  local base, offset, count
  local oldest, position = math.floor((now + SLACK) / charge.width) - BUCKETS, 9
  base = struct.unpack('<d', kept)
  for _ = 1, (#kept - 8) / 6 do
    offset, count, position = struct.unpack('<HI4', kept, position)
    if base + offset >= oldest then charge.counts[#charge.counts + 1] = {base + offset, count} end
  end
end

function bucket.total(charge)
  local total = 0
  for _, pair in ipairs(charge.counts) do total = total + pair[2] end
  return total
end

function bucket.wait(charge)
  if charge.amount > charge.capacity then return never end
  local surplus = bucket.total(charge) + charge.amount - charge.capacity
  if charge.amount <= 0 or surplus <= 0 then return 0 end
  for _, pair in ipairs(charge.counts) do
    surplus = surplus - pair[2]
    if surplus <= 0 then return math.max(0, (pair[1] + BUCKETS + 1) * charge.width - now) end
  end
  return 0
end

function bucket.add(charge, at, amount)
  if amount <= 0 then return end
  local index = math.floor(at / charge.width)
  for _, pair in ipairs(charge.counts) do
    if pair[1] == index then
      pair[2] = pair[2] + amount
      return
    end
  end
  charge.counts[#charge.counts + 1] = {index, amount}
  table.sort(charge.counts, function(one, other) return one[1] < other[1] end)
end

function bucket.write(charge, key)
  local packed = {}
  for _, pair in ipairs(charge.counts) do
    if #packed == 0 then packed[1] = struct.pack('<d', pair[1]) end
    local base = charge.counts[1][1]
    packed[#packed + 1] = struct.pack('<HI4', math.min(pair[1] - base, 65535), math.min(pair[2], 4294967295))
  end
  if #packed == 0 then
    redis.call('DEL', key)
  else
    save(key, table.concat(packed), (charge.counts[#charge.counts][1] + BUCKETS + 1) * charge.width)
  end
end

function bucket.spend(charge, key, at)
  bucket.add(charge, stamp(charge, at), charge.amount)
  bucket.write(charge, key)
end

function bucket.overspend(charge, key)
  local present, past, kept = math.floor(now / charge.width), 0, {}
  bucket.add(charge, now, math.min(charge.amount, charge.capacity))
  for _, pair in ipairs(charge.counts) do
    if pair[1] <= present then past = past + pair[2] end
  end
  local surplus = past - charge.capacity
  for _, pair in ipairs(charge.counts) do
    local dropped = pair[1] <= present and math.min(pair[2], math.max(0, surplus)) or 0
    surplus = surplus - dropped
    if pair[2] > dropped then kept[#kept + 1] = {pair[1], pair[2] - dropped} end
  end
  charge.counts = kept
  bucket.write(charge, key)
end

function bucket.settle(charge, key, keep)
  local written, left = math.floor(stamp(charge, spent_at) / charge.width), {}
  for _, pair in ipairs(charge.counts) do
    if pair[1] == written then pair[2] = pair[2] - charge.amount end
    if pair[2] > 0 then left[#left + 1] = pair end
  end
  charge.counts = left
  if keep then bucket.add(charge, spent_at, charge.amount) end
  bucket.write(charge, key)
end

function bucket.reading(charge)
  if #charge.counts == 0 then return 0, 0 end
  local empty_at = (charge.counts[#charge.counts][1] + BUCKETS + 1) * charge.width
  return bucket.total(charge), math.max(0, empty_at - now)
end

local distinct = {}

function distinct.read(charge, key)
  charge.key = key
  charge.oldest = now - charge.span + SLACK
  charge.from = string.format('(%.17g', charge.oldest)  -- Lua writes 14 digits by itself
  charge.live = redis.call('ZCOUNT', key, charge.from, '+inf')
end

function distinct.wait(charge)
  local new, seen = 0, {}
  for _, value in ipairs(charge.values) do
    local score = redis.call('ZSCORE', charge.key, value)
    if score and tonumber(score) > charge.oldest then seen[value] = true else new = new + 1 end
  end
  local need = math.max(new, charge.unsampled)
  charge.need = need
  if charge.number > charge.capacity then return never end
  local surplus = need - (charge.places - charge.live)
  if surplus <= 0 then return 0 end
  local wait, passed = 0, 0
  local rows = redis.call('ZRANGEBYSCORE', charge.key, charge.from, '+inf', 'WITHSCORES',
    'LIMIT', 0, surplus + #charge.values)
  for i = 1, #rows, 2 do
    if not seen[rows[i]] and passed < surplus then
      passed = passed + 1
      wait = tonumber(rows[i + 1]) + charge.span - now
    end
  end
  return wait
end

function distinct.outlive(charge)
  redis.call('PEXPIRE', charge.key, math.max(1, math.ceil((charge.span + math.max(0, charge.newest - now)) / 1000)))
end

function distinct.put(charge, value, time)
  redis.call('ZADD', charge.key, 'GT', string.format('%.17g', time), value)
  charge.newest = math.max(charge.newest or 0, time)
end

function distinct.add(charge, key, time)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.17g', charge.oldest))
  for _, value in ipairs(charge.values) do
    -- One that was seen before gets another time, by which settle knows what to leave.
    local seen = redis.call('ZSCORE', key, value)
    distinct.put(charge, value, seen and time + SLACK / 2 or time)
  end
  if charge.newest then distinct.outlive(charge) end
end

function distinct.spend(charge, key, at)
  distinct.add(charge, key, stamp(charge, at))
end

function distinct.overspend(charge, key)
  -- As many as were refused, from the oldest on, count anew; the refused values are not remembered.
  if charge.need == 0 then return end
  for _, value in ipairs(redis.call('ZRANGEBYSCORE', key, charge.from, '+inf', 'LIMIT', 0, charge.need)) do
    distinct.put(charge, value, now)
  end
  if charge.newest then distinct.outlive(charge) end
end

function distinct.settle(charge, key, keep)
  if keep then
    for _, value in ipairs(charge.values) do distinct.put(charge, value, spent_at) end
    if charge.newest then distinct.outlive(charge) end
    return
  end
  for _, value in ipairs(charge.values) do
    local score = redis.call('ZSCORE', key, value)
    if score and tonumber(score) == stamp(charge, spent_at) then redis.call('ZREM', key, value) end
  end
end

function distinct.reading(charge)
  local used = redis.call('ZCOUNT', charge.key, charge.from, '+inf')
  local newest = redis.call('ZREVRANGE', charge.key, 0, 0, 'WITHSCORES')
  local empty_in = used > 0 and math.max(0, tonumber(newest[2]) + charge.span - now) or 0
  return used * charge.capacity / charge.places, empty_in
end

local kinds = {gcra = gcra, window = window, bucket = bucket, distinct = distinct}
local place = 5

local function argument()
  place = place + 1
  return ARGV[place]
end

local function number() return tonumber(argument()) end

local charges = {}
for i = 3, #KEYS do
  local charge = {kind = kinds[argument()], capacity = number(), span = number(), strict = argument() == '1'}
  if charge.kind == distinct then
    charge.places, charge.unsampled, charge.number, charge.values = number(), number(), 0, {}
    for j = 1, number() do charge.values[j] = argument() end
    charge.number = #charge.values + charge.unsampled
  else
    if charge.kind == gcra then charge.interval = number() end
    if charge.kind == bucket then charge.width = number() end
    charge.amount = number()
  end
  charge.kind.read(charge, KEYS[i])
  charges[i - 2] = charge
end

if verb == 'keep' or verb == 'return' then
  for i, charge in ipairs(charges) do charge.kind.settle(charge, KEYS[i + 2], verb == 'keep') end
  return ''
end

local wait, waits = 0, {}
for i, charge in ipairs(charges) do
  waits[i] = charge.kind.wait(charge)
  wait = math.max(wait, waits[i])
end

local at = -1
if wait > within then
  for i, charge in ipairs(charges) do
    if verb == 'take' and charge.strict then
      charge.kind.overspend(charge, KEYS[i + 2])
      charge.kind.read(charge, KEYS[i + 2])
      if waits[i] > 0 then waits[i] = charge.kind.wait(charge) end
      wait = math.max(wait, waits[i])
    end
  end
elseif verb == 'take' then
  at = now + wait
  for i, charge in ipairs(charges) do
    charge.kind.spend(charge, KEYS[i + 2], at)
    waits[i] = 0
  end
end

local function written(value) return value == never and '-1' or string.format('%.17g', value) end

local answer = {written(at), written(now), written(wait)}
for i, charge in ipairs(charges) do
  local used, empty_in = charge.kind.reading(charge)
  answer[#answer + 1] = written(used)
  answer[#answer + 1] = written(empty_in)
  answer[#answer + 1] = written(waits[i])
end
return table.concat(answer, ' ')
