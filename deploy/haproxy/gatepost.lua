-- Asks Gatepost about a request: the action `lua.gatepost` for `http-request`, HAProxy 2.6 or later.
--
--     lua-load-per-thread /etc/haproxy/gatepost.lua
--     http-request lua.gatepost 127.0.0.1:7180                        # or unix@/run/gatepost/decision.sock
--     http-request deny deny_status 503 unless { var(txn.gatepost_allowed) -m bool }
--
-- The last line is no decoration. HAProxy goes on with the request if a script fails, so that only what this script has
-- said last, after everything else went well, lets a request pass.
--
-- A refusal (401, 403, 400, 302 to the log-in, 503) goes to the client from here, and the request ends. After a permit
-- these variables are set, for `http-request set-header`, each of them empty where Gatepost has nothing to say:
--
--     txn.gatepost_user  txn.gatepost_email  txn.gatepost_role  txn.gatepost_credential  txn.gatepost_decision
--     txn.gatepost_assertion
--
-- and txn.gatepost_allowed is true: the one thing that the deny rule looks at.
--
-- Whatever came of it, txn.gatepost_status is Gatepost's status, for the log; missing if there was no answer.
-- Gatepost's session cookie is taken out of the request, all other cookies stay.

-- How long one attempt may take once it is connected, in milliseconds. Gatepost answers within 800
-- (`decision.deadline_ms`). HAProxy 2.6 repeats an attempt that got no answer three times, which cannot be changed: four
-- times this is the longest wait.
local TIMEOUT = 1000

-- Only needed if Gatepost does not know this machine by its address (`decision.peer_token`).
local PEER_TOKEN = os.getenv("GATEPOST_DECISION_PEER_TOKEN")

local SESSION = "__Host-gatepost"

-- Variables, and the headers of a permit that they come from: `decision.header_user` and so on, in lower case.
local IDENTITY = {
	user = "remote-user",
	email = "remote-email",
	role = "remote-role",
	credential = "remote-credential",
	decision = "gatepost-decision",
}

-- There only if `decision.assertion_audience` is set.
local ASSERTION = "gatepost-assertion"

-- What the client gets to see of a refusal's head.
local PASSED_ON = {
	"content-type", "cache-control", "www-authenticate", "location", "retry-after", "gatepost-decision",
}

-- What Gatepost gets to see of the client's head: all lines of each, so that it can tell a repeated one.
local ASKED_WITH = { "authorization", "cookie", "accept", "sec-fetch-mode", "user-agent" }

-- The lines of a header as a list. HAProxy counts them from 0.
local function lines(headers, name)
	local found = {}
	local values = headers[name]
	if values then
		local at = 0
		while values[at] do
			found[#found + 1] = values[at]
			at = at + 1
		end
	end
	return found
end

-- The one value of a header that may be there once; nothing if it is missing or repeated.
local function only(headers, name)
	local values = headers[name]
	if not values then
		return nil
	end
	-- Answers are counted from 0 or from 1, depending on HAProxy's version.
	local value, count = nil, 0
	for _, given in pairs(values) do
		value, count = given, count + 1
	end
	if count == 1 then
		return value
	end
	return nil
end

-- Ends the request with this answer.
local function refuse(txn, status, headers, body)
	local reply = txn:reply({ status = status })
	for name, value in pairs(headers) do
		reply:add_header(name, value)
	end
	if body ~= "" and txn.sf:method() ~= "HEAD" then
		reply:set_body(body)
	end
	txn:done(reply)
end

-- Without Gatepost's session cookie; nothing if no cookie is left. What looks like it in any other spelling takes all
-- cookies with it.
local function without_session(cookies)
	local kept = {}
	for _, line in ipairs(cookies) do
		if not line:find(SESSION, 1, true) then
			kept[#kept + 1] = line
		else
			for pair in line:gmatch("[^;]+") do
				local name = pair:match("^[ \t]*([^=]-)[ \t]*=") or pair
				if name ~= SESSION then
					kept[#kept + 1] = pair:match("^[ \t]*(.-)[ \t]*$")
				end
			end
		end
	end
	local rest = table.concat(kept, "; ")
	if rest == "" or rest:lower():find(SESSION:lower(), 1, true) then
		return nil
	end
	return rest
end

local function ask(txn, address)
	local client = txn.http:req_get_headers()
	local target = txn.f:pathq()
	local source = txn.f:src()
	local hosts = lines(client, "host")
	-- `OPTIONS *` and `CONNECT` name no path; without a host or an address it is not certain what is asked.
	if not target or not source or #hosts ~= 1 then
		return refuse(txn, 400, { ["cache-control"] = "no-store" }, "")
	end

	local question = {
		["x-original-method"] = { txn.f:method() },
		["x-original-uri"] = { target },
		["x-original-host"] = hosts,
		["x-original-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
		["x-real-ip"] = { tostring(source) },
	}
	for _, name in ipairs(ASKED_WITH) do
		local values = lines(client, name)
		if #values > 0 then
			question[name] = values
		end
	end
	if PEER_TOKEN then
		question["gatepost-peer-token"] = { PEER_TOKEN }
	end

	local request = { url = "http://" .. address .. "/check/haproxy", headers = question, timeout = TIMEOUT }
	if address:find("@", 1, true) then -- a socket, unix@ or abns@
		request.url, request.dst = "http://gatepost/check/haproxy", address
	end
	local answer = core.httpclient():get(request)
	if not answer or not answer.status or answer.status == 0 then
		return -- the deny rule's
	end
	txn:set_var("txn.gatepost_status", answer.status)

	if answer.status ~= 200 then
		local headers = {}
		for _, name in ipairs(PASSED_ON) do
			headers[name] = only(answer.headers, name)
		end
		-- What is no refusal of Gatepost's is not passed on.
		if answer.status < 300 or answer.status == 304 or answer.status > 599 then
			return
		end
		return refuse(txn, answer.status, headers, answer.body or "")
	end

	for variable, name in pairs(IDENTITY) do
		local value = only(answer.headers, name)
		if not value then
			return -- not an answer of Gatepost's
		end
		txn:set_var("txn.gatepost_" .. variable, value)
	end
	txn:set_var("txn.gatepost_assertion", only(answer.headers, ASSERTION) or "")
	local cookies = lines(client, "cookie")
	if #cookies > 0 then
		txn.http:req_del_header("cookie")
		local rest = without_session(cookies)
		if rest then
			txn.http:req_add_header("cookie", rest)
		end
	end
	txn:set_var("txn.gatepost_allowed", true)
end

core.register_action("gatepost", { "http-req" }, ask, 1)
