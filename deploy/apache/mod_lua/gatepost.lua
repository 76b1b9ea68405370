-- Asks Gatepost about a request over HTTP, for an Apache that cannot ask by FastCGI. Needs lua-socket.
--
--     LuaHookAccessChecker /etc/apache2/gatepost/mod_lua/gatepost.lua decide late
--
-- A refusal (401, 403, 400, 302 to the log-in, 503) goes to the client as it is; no answer, a bad one, or an error in here
-- is 500. After a permit the identity headers are in the request's environment, under their names.

require "apache2"
local socket = require "socket"

-- Gatepost's decision listener.
local HOST, PORT = "127.0.0.1", 7180

-- How long the whole answer may take, in seconds. Gatepost answers within 0.8 (`decision.deadline_ms`).
local PATIENCE = 2

-- The longest answer, in bytes.
local MOST = 65536

-- The headers of a permit: `decision.header_user` and so on.
local IDENTITY = { "Remote-User", "Remote-Email", "Remote-Role", "Remote-Credential", "Gatepost-Decision" }

-- There only if `decision.assertion_audience` is set.
local ASSERTION = "Gatepost-Assertion"

-- What the client gets to see of a refusal's head.
local PASSED_ON = { "Cache-Control", "WWW-Authenticate", "Location", "Retry-After", "Gatepost-Decision" }

-- What Gatepost gets to see of the client's head. Apache has joined repeated lines by a comma.
local ASKED_WITH = { "Authorization", "Cookie", "Accept", "Sec-Fetch-Mode", "User-Agent" }

-- The question's bytes; nothing if the request names no path or no host.
local function question(r)
	local target, host = r.unparsed_uri, r.headers_in["Host"]
	if not target or target:sub(1, 1) ~= "/" or not host then
		return nil
	end
	local lines = {
		"GET /check/apache HTTP/1.1",
		"Host: gatepost",
		"Connection: close",
		"X-Original-Method: " .. r.method,
		"X-Original-URI: " .. target,
		"X-Original-Host: " .. host,
		"X-Original-Proto: " .. (r.is_https and "https" or "http"),
		"X-Real-IP: " .. r.useragent_ip,
	}
	for _, name in ipairs(ASKED_WITH) do
		local value = r.headers_in[name]
		if value then
			lines[#lines + 1] = name .. ": " .. value
		end
	end
	for _, line in ipairs(lines) do
		if line:find("[\r\n%z]") then
			return nil
		end
	end
	return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- All that Gatepost says until it closes the connection; nothing if that is not in time.
local function ask(text)
	local ends = socket.gettime() + PATIENCE
	local connection = socket.tcp()
	connection:settimeout(PATIENCE)
	local answer, len = {}, 0
	local is_whole = false
	if connection:connect(HOST, PORT) and connection:send(text) then
		while not is_whole and len <= MOST do
			local left = ends - socket.gettime()
			if left <= 0 then
				break
			end
			connection:settimeout(left)
			local some, failure, rest = connection:receive(4096)
			answer[#answer + 1] = some or rest
			len = len + #(some or rest or "")
			is_whole = failure == "closed"
			if failure and not is_whole then
				break
			end
		end
	end
	connection:close()
	return is_whole and table.concat(answer) or nil
end

-- Status, headers by their names in lower case, and body; nothing if it is no whole answer.
local function parse(answer)
	local head, body = answer:match("^(.-)\r\n\r\n(.*)$")
	local status, lines = (head or ""):match("^HTTP/1%.1 (%d%d%d)[^\r\n]*(.*)$")
	if not status then
		return nil
	end
	local headers = {}
	for name, value in lines:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
		if headers[name:lower()] then
			return nil
		end
		headers[name:lower()] = value
	end
	if tonumber(headers["content-length"]) ~= #body then
		return nil
	end
	return tonumber(status), headers, body
end

function decide(r)
	local text = question(r)
	if not text then
		return 400
	end
	local answer = ask(text)
	local status, headers, body
	if answer then
		status, headers, body = parse(answer)
	end
	if not status then
		return 500
	end
	if status ~= 200 then
		if status < 300 or status == 304 then
			return 500
		end
		for _, name in ipairs(PASSED_ON) do
			local value = headers[name:lower()]
			if value then
				-- Apache makes the rest of a redirect itself, from this.
				(name == "Location" and r.headers_out or r.err_headers_out)[name] = value
			end
		end
		if body ~= "" then
			r:custom_response(status, body)
		end
		return status
	end
	for _, name in ipairs(IDENTITY) do
		if not headers[name:lower()] then
			return 500
		end
	end
	for _, name in ipairs(IDENTITY) do
		r.subprocess_env[name] = headers[name:lower()]
	end
	if headers[ASSERTION:lower()] then
		r.subprocess_env[ASSERTION] = headers[ASSERTION:lower()]
	end
	return apache2.OK
end
