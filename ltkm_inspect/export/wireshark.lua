-- Shows LTKMs in Wireshark 4 and tshark: what is inside the EXT payloads of MIKEY messages, the counter in T, and the
-- messages inside MSK responses over HTTP.
--
-- Put this file into the folder that Help > About Wireshark > Folders names "Personal Lua Plugins", or load it once:
-- wireshark -X lua_script:ltkm.lua, tshark -X lua_script:ltkm.lua

local KEY_ID_TYPES = @KEY_ID_TYPES@
local EXTENSION_TYPES = @EXTENSION_TYPES@
local BCAST_SUBTYPES = @BCAST_SUBTYPES@

-- The LTKM management data of OMA BCAST, from memory of its specification: unverified.
local MANAGEMENT_DATA = @MANAGEMENT_DATA@

local ltkm = Proto("ltkm", "LTKM, a MIKEY message with a broadcast key")
local f = ltkm.fields
f.ext_type = ProtoField.uint8("ltkm.ext.type", "Extension type", base.DEC, EXTENSION_TYPES)
f.key_id_type = ProtoField.uint8("ltkm.key_id.type", "Key ID type", base.DEC, KEY_ID_TYPES)
f.key_domain_id = ProtoField.bytes("ltkm.key_domain_id", "Key Domain ID")
f.msk_id = ProtoField.bytes("ltkm.msk_id", "MSK ID")
f.key_group = ProtoField.uint16("ltkm.key_group", "Key Group", base.HEX)
f.key_number = ProtoField.uint16("ltkm.key_number", "Key Number", base.HEX)
f.mtk_id = ProtoField.bytes("ltkm.mtk_id", "MTK ID")
f.key_id_value = ProtoField.bytes("ltkm.key_id.value", "Key ID")
f.trailing = ProtoField.bytes("ltkm.trailing", "Octets left over")
f.subtype = ProtoField.uint8("ltkm.bcast.subtype", "BCAST subtype", base.DEC, BCAST_SUBTYPES)
f.data = ProtoField.bytes("ltkm.bcast.data", "Data")
f.undecoded = ProtoField.bytes("ltkm.bcast.undecoded", "undecoded")
f.counter = ProtoField.uint32("ltkm.counter", "Counter (T)")
f.number = ProtoField.uint32("ltkm.number", "LTKM")
f.problem = ProtoField.string("ltkm.problem", "Problem")

local NUMBERS = { ProtoField.uint8, ProtoField.uint16, ProtoField.uint24, ProtoField.uint32 }
local function declare(fields)
  for _, each in ipairs(fields) do
    local filter, label = "ltkm.bcast." .. each.name, each.name .. " (unverified)"
    if each.of then
      declare(each.of)
    elseif each.octets_from then
      f["bcast_" .. each.name] = ProtoField.bytes(filter, label)
    elseif each.bits then
      f["bcast_" .. each.name] = NUMBERS[math.floor((each.bits + 7) / 8)](filter, label, base.DEC, each.meanings)
    end
  end
end
declare(MANAGEMENT_DATA)

-- Key ID information (RFC 4563): type, length, value, again and again
local KEY_DOMAIN_ID, MSK_ID, MTK_ID = @KEY_DOMAIN_ID@, @MSK_ID@, @MTK_ID@
local function key_ids(range, tree)
  local at = 0
  while at < range:len() do
    local left = range:len() - at - 2
    if left < 0 or range(at + 1, 1):uint() > left then
      tree:add(f.trailing, range(at))
      return
    end
    local kind, length = range(at, 1):uint(), range(at + 1, 1):uint()
    local branch = tree:add(f.key_id_type, range(at, 1))
    if length > 0 then
      local value = range(at + 2, length)
      if kind == MSK_ID then
        branch:add(f.msk_id, value)
        if length == 4 then
          branch:add(f.key_group, value(0, 2))
          branch:add(f.key_number, value(2, 2))
        end
      else
        branch:add(kind == KEY_DOMAIN_ID and f.key_domain_id or kind == MTK_ID and f.mtk_id or f.key_id_value, value)
      end
    end
    at = at + 2 + length
  end
end

-- the management data, bit by bit, until its layout or its octets end
local function management_data(range, tree)
  local at, known, stopped = 0, {}, false
  local function read(fields, prefix)
    for _, each in ipairs(fields) do
      local left = 8 * range:len() - at
      if stopped then
        return
      elseif not each.when or (known[each.when] or 0) ~= 0 then
        if each.undecoded then
          stopped = true
        elseif each["repeat"] then
          for number = 1, known[each["repeat"]] do
            read(each.of, each.name .. number .. ".")
          end
        elseif each.octets_from then
          local count = known[prefix .. each.octets_from]
          stopped = 8 * count > left
          if not stopped and count > 0 then
            tree:add(f["bcast_" .. each.name], range(math.floor(at / 8), count))
            at = at + 8 * count
          end
        elseif each.bits > left then
          stopped = true
        else
          local first = math.floor(at / 8)
          local octets = range(first, math.floor((at + each.bits - 1) / 8) - first + 1)
          local value = octets:bitfield(at % 8, each.bits)
          known[prefix .. each.name] = value
          tree:add(f["bcast_" .. each.name], octets, value)
          at = at + each.bits
        end
      end
    end
  end
  read(MANAGEMENT_DATA, "")
  local first = math.floor((at + 7) / 8)
  if first < range:len() then
    tree:add(f.undecoded, range(first))
  end
end

local KEY_IDS, OMA_BCAST, LTKM_SUBTYPE = @KEY_IDS@, @OMA_BCAST@, @LTKM_SUBTYPE@
local function extension(range, tree)
  local kind, branch = range(1, 1):uint(), tree:add(f.ext_type, range(1, 1))
  if range:len() <= 4 then
    return
  end
  local value = range(4)
  if kind == KEY_IDS then
    key_ids(value, branch)
  elseif kind == OMA_BCAST then
    branch:add(f.subtype, value(0, 1))
    if value:len() > 1 then
      local data = branch:add(f.data, value(1))
      if value(0, 1):uint() == LTKM_SUBTYPE then
        management_data(value(1), data)
      end
    end
  end
end

-- Wireshark's own dissector finds the payloads; this opens those of a frame that were not opened before.
local COUNTER = @COUNTER@
local find_extensions, find_times = Field.new("mikey.ext"), Field.new("mikey.t")
local opened = { frame = 0, extensions = 0, times = 0 }
local function open(pinfo, tree)
  if opened.frame ~= pinfo.number then
    opened = { frame = pinfo.number, extensions = 0, times = 0 }
  end
  local extensions, times, branch = { find_extensions() }, { find_times() }, nil
  local function below(range)
    branch = branch or tree:add(ltkm, range)
    return branch
  end
  for index = opened.extensions + 1, #extensions do
    local range = extensions[index].range
    extension(range, below(range))
  end
  for index = opened.times + 1, #times do
    local range = times[index].range
    if range:len() >= 6 and range(1, 1):uint() == COUNTER then
      below(range):add(f.counter, range(2, 4))
    end
  end
  opened.extensions, opened.times = #extensions, #times
end

function ltkm.dissector(_, pinfo, tree)
  open(pinfo, tree)
  opened.frame = 0
end
register_postdissector(ltkm)

-- The messages in an MSK response, each below the element that has it in base64.
local response = Proto("ltkm_response", "LTKMs in an MSK response")
local mikey, xml = Dissector.get("mikey"), Dissector.get("xml")
local function base64(text)
  local found = text:gsub("%s", "")
  if #found % 4 == 0 and found:find("^[%w+/]+=?=?$") then
    return found
  end
end

function response.dissector(tvb, pinfo, tree)
  xml:call(tvb, pinfo, tree)
  local body, at, number = tvb:raw(), 1, 0
  local branch = tree:add(response, tvb())
  while true do
    local first, last, name, text = body:find("<([%w_.:-]+)[^<>]*>([^<]*)<", at)
    if not first then
      return tvb:len()
    end
    at = last
    if name:match("[^:]*$"):upper() == "LTKM" then
      number = number + 1
      local element = branch:add(f.number, tvb(first - 1, last - first), number)
      local octets = base64(text)
      if octets then
        octets = ByteArray.new(octets, true):base64_decode():tvb("LTKM " .. number)
        if not pcall(mikey.call, mikey, octets, pinfo, element) then
          element:add(f.problem, octets(), "no MIKEY message, or damaged")
        end
        open(pinfo, element)
      else
        element:add(f.problem, "no base64")
      end
    end
  end
end
DissectorTable.get("media_type"):add(@MEDIA_TYPE@, response)
