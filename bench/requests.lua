-- Generates the requests of one measurement for wrk.
--
--     wrk … -s requests.lua URL -- METHOD PREFIX FILE SUFFIX TOKEN [FIRST]
--
-- METHOD "get": GET of the URL PREFIX LINE SUFFIX for each LINE of FILE, from the beginning again after the last line.
-- METHOD "as": GET of the URL PREFIX with the header field X-Subject: LINE, SUFFIX times for each LINE.
-- METHOD "post": POST to PREFIX with each line of FILE as the body, once, beginning after line FIRST.
-- Prints "RESULT", the number of requests, seconds, responses other than 2xx and 3xx, and socket errors.

local lines, at, head, tail, last = {}, 0, "", "", ""
local times, sent = 1, 0

function init(args)
   local method, prefix, file, suffix, token, first = args[1], args[2], args[3], args[4], args[5], tonumber(args[6] or 0)
   at = first
   for line in io.lines(file) do
      lines[#lines + 1] = line
   end
   local headers = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. token .. "\r\n"
   if method == "get" then
      head, tail = "GET " .. prefix, suffix .. headers .. "\r\n"
      request = get
   elseif method == "as" then
      head, tail, times = "GET " .. prefix .. headers .. "X-Subject: ", "\r\n\r\n", tonumber(suffix)
      request = as
   else
      head = "POST " .. prefix .. headers .. "Content-Type: application/scim+json\r\nContent-Length: "
      request = post
   end
end

function get()
   at = at % #lines + 1
   return head .. lines[at] .. tail
end

function as()
   if sent % times == 0 then
      at = at % #lines + 1
   end
   sent = sent + 1
   return head .. lines[at] .. tail
end

function post()
   at = at + 1
   local body = lines[at] or "{}" -- all lines are used: the answer is 400, and bench/run stops with an error
   return head .. #body .. "\r\n\r\n" .. body
end

function done(summary)
   local e = summary.errors
   print(string.format("RESULT %d %.6f %d %d", summary.requests, summary.duration / 1e6, e.status,
      e.connect + e.read + e.write + e.timeout))
end
