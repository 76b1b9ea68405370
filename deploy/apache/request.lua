-- Cleans requests before Gatepost is asked, and before the application sees them. Apache has no directive that takes
-- headers by the beginning of their names, or by the characters in them.
--
--     LuaHookAccessChecker /etc/apache2/gatepost/request.lua clean early
--
-- An error in here is answered with 500: nothing passes that was not cleaned.

require "apache2"

-- What the client says of itself, by the beginning of the names: who it is, also in the names that applications made for
-- other gateways believe; what it asks for, by which applications and frameworks take the request for another one than
-- was decided about; where it comes from.
local CLAIMS = {
	"remote", "gatepost", "x-auth-request-", "x-remote-", "x-webauth-",
	"x-http-method", "x-method-override", "x-original-", "x-rewrite-",
	"x-forwarded", "forwarded", "x-real-ip", "client-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
}

-- Names of which the beginning alone would take others with it: "httpoxy", and what belongs to an upgrade to h2c.
local ALONE = { ["proxy"] = true, ["http2-settings"] = true, ["te"] = true }

-- What `Connection` may say. Other names in it would have headers removed on the way (`Connection: Remote-User`).
local OPTIONS = { ["close"] = true, ["keep-alive"] = true }

local function is_claim(name)
	-- `Remote_User`, `Remote.User` and `Remote~User` reach many applications as `Remote-User`.
	if name:find("[^%w-]") or ALONE[name] then
		return true
	end
	for _, beginning in ipairs(CLAIMS) do
		if name:sub(1, #beginning) == beginning then
			return true
		end
	end
	return false
end

function clean(r)
	local claims, connection, upgrade = {}, nil, nil
	for name, value in pairs(r:headers_in_table()) do
		local lower = name:lower()
		if is_claim(lower) then
			claims[#claims + 1] = name
		elseif lower == "connection" then
			connection = value:lower()
		elseif lower == "upgrade" then
			upgrade = value:lower()
		end
	end
	for _, name in ipairs(claims) do
		r.headers_in[name] = nil
	end

	local kept = {}
	for option in (connection or ""):gmatch("[^,]+") do
		option = option:match("^%s*(.-)%s*$")
		-- Only WebSocket may change the protocol: h2c would be a tunnel past every decision ("h2c smuggling").
		if OPTIONS[option] or (option == "upgrade" and upgrade == "websocket") then
			kept[#kept + 1] = option
		end
	end
	if upgrade ~= "websocket" then
		r.headers_in["Upgrade"] = nil
	end
	if #kept > 0 then
		r.headers_in["Connection"] = table.concat(kept, ", ")
	else
		r.headers_in["Connection"] = nil
	end
	return apache2.DECLINED
end
