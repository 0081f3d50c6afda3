-- A message over the limit is replaced; one whose {msg_size} only looks as if is not.
dofile(scripts .. "/common.lua")

local conn = connect()
hand_over(conn, "4AO9Xk1S000001", LIMIT_BYTES + 1000, LIMIT_BYTES + 1000, true)
hand_over(conn, "4AO9Xk1S000002", LIMIT_BYTES - 10000, LIMIT_BYTES - 10000, false)
mt.disconnect(conn)
