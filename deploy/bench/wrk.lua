-- wrk requests, at random, the lines of a file: first the tokens, then "number path".
-- Arguments: the file, a seed.

local requests = {}

function init(arguments)
  math.randomseed(tonumber(arguments[2]))
  local tokens = {}
  for line in io.lines(arguments[1]) do
    local number, path = line:match("^(%d+) (.+)$")
    if number then
      local token = tokens[tonumber(number) + 1]
      requests[#requests + 1] = { path, token }
    else
      tokens[#tokens + 1] = "Host: 127.0.0.1\r\nAccept: application/json\r\nx-access-token: "
        .. line .. "\r\nAuthorization: Bearer " .. line .. "\r\n\r\n"
    end
  end
end

function request()
  local chosen = requests[math.random(#requests)]
  return "GET " .. chosen[1] .. " HTTP/1.1\r\n" .. chosen[2]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
