-- Orders as fast as 64 connections take them, each account's in turn until all have what one may have.
-- TOKENS: a file with an access token a line. Prints "ORDERS SECONDS REFUSED".
local tokens, sent = {}, 0
for line in io.lines(os.getenv('TOKENS')) do tokens[#tokens + 1] = line end
local body = '{"image":"localhost/kaisar/demo:1","cpu_milli":500,"memory":"64MiB","disk":"256MiB","ports":[8080]}'
local limit = #tokens * 100

function request()
  sent = sent + 1
  local headers = {
    ['Authorization'] = 'Bearer ' .. tokens[sent % #tokens + 1],
    ['Content-Type'] = 'application/json',
    ['Idempotency-Key'] = 'order-' .. sent,
  }
  return wrk.format('POST', '/v1/rentals', headers, body)
end

function response()
  if sent >= limit then wrk.thread:stop() end
end

function done(summary)
  print(summary.requests - summary.errors.status, summary.duration / 1e6, summary.errors.status)
end
