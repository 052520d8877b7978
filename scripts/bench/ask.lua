-- What wrk sends, and what it tells of it: wrk … -s ask.lua URL -- BODY-FILE PAUSE-MS NAME VALUE …
-- There is no function `request`, so that wrk sends one prepared request over and over, without Lua.
function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
  for at = 3, #arguments, 2 do
    wrk.headers[arguments[at]] = arguments[at + 1]
  end
  local pause = tonumber(arguments[2])
  if pause > 0 then
    -- How long a client waits before it asks again, on average; latency counts from when it asks.
    function delay() return math.random(0, 2 * pause) end
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
