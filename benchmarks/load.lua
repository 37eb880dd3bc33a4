-- Drives wrk: sends one body again and again, and looks at every answer.
-- Arguments: the file of the body, the text that every right answer holds, its length in bytes (0: any), header fields.

local text, length
local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   file:close()
   text, length = args[2], tonumber(args[3])
   for i = 4, #args, 2 do
      wrk.headers[args[i]] = args[i + 1]
   end
   wrong, sample = 0, ""
end

function response(status, headers, body)
   if status ~= 200 or (length > 0 and #body ~= length) or not string.find(body, text, 1, true) then
      wrong = wrong + 1
      sample = status .. " " .. string.sub(body, 1, 200)
   end
end

function done(summary, latency, requests)
   local wrong, sample = 0, ""
   for _, thread in ipairs(threads) do
      wrong = wrong + thread:get("wrong")
      if #thread:get("sample") > 0 then sample = thread:get("sample") end
   end
   local errors = summary.errors
   io.write(string.format(
      "\nresult requests=%d microseconds=%d p50=%d p99=%d slowest=%d broken=%d timeouts=%d wrong=%d sample=%s\n",
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
      errors.connect + errors.read + errors.write, errors.timeout, wrong, string.gsub(sample, "%s+", " ")
   ))
end
