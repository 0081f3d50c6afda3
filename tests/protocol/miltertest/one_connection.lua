-- Messages of all kinds on one connection, some given up half-way, beside another connection.
dofile(scripts .. "/common.lua")

local conn, other = connect(), connect()
for round = 0, 2 do
    let_go_unread(conn, "4AO9Xk1S10000" .. round)
    begin(conn, "4AO9Xk1S20000" .. round, nil)
    check("body", mt.bodystring(conn, "given up\r\n") == nil)
    check("abort", mt.abort(conn) == nil)
    begin(other, "4AO9Xk1S30000" .. round, nil)
    hand_over(conn, "4AO9Xk1S40000" .. round, LIMIT_BYTES + 1000, nil, true)
    check("abort", mt.abort(other) == nil)
    hand_over(conn, "4AO9Xk1S50000" .. round, 1000, nil, false)
end
mt.disconnect(conn, false)
let_go_unread(other, "4AO9Xk1S600000")
mt.disconnect(other)
