-- Without {msg_size} (Postfix has none) the body is read, and decides.
dofile(scripts .. "/common.lua")

local conn = connect()
hand_over(conn, "4AO9Xk1S000001", 1000, nil, false)
hand_over(conn, "4AO9Xk1S000002", LIMIT_BYTES + 1000, nil, true)
mt.disconnect(conn)
