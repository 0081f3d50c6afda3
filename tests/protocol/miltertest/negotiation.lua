-- What the milter asks for, and whom it refuses.
dofile(scripts .. "/common.lua")

local conn = connect()
for _, action in ipairs({ SMFIF_ADDHDRS, SMFIF_CHGHDRS, SMFIF_CHGBODY }) do
    check("an action is not asked for", mt.test_action(conn, action))
end
for _, action in ipairs({ SMFIF_ADDRCPT, SMFIF_DELRCPT, SMFIF_QUARANTINE }) do
    check("an action is asked for that we never take", not mt.test_action(conn, action))
end
for _, option in ipairs({ SMFIP_NOCONNECT, SMFIP_NOHELO, SMFIP_NR_HDR, SMFIP_NR_BODY, SMFIP_HDR_LEADSPC }) do
    check("a protocol step is asked for that we do not need", mt.test_option(conn, option))
end
for _, option in ipairs({ SMFIP_NOMAIL, SMFIP_NORCPT, SMFIP_NOHDRS, SMFIP_NOEOH, SMFIP_NOBODY }) do
    check("a protocol step is not asked for that we need", not mt.test_option(conn, option))
end
mt.disconnect(conn)

check("an MTA that changes no body is served", mt.negotiate(mt.connect(socket), 6, SMFIF_ADDHDRS, nil) ~= nil)
