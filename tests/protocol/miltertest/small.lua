-- A message whose {msg_size} proves it small is let go at the end of its headers.
dofile(scripts .. "/common.lua")

local conn = connect()
let_go_unread(conn, "4AO9Xk1S000001")
mt.disconnect(conn)
