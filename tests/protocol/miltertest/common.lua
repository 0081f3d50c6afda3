-- What the scripts share. They get `socket` and `scripts` (their folder) from test_miltertest.py.

SMFIC_EOH = 78 -- 'N': miltertest names the stages up to RCPT only, and takes any by its number
LIMIT_BYTES = 160 * 1024

function check(what, is_so)
    if not is_so then
        error(what)
    end
end

-- Raise an error where `problem` is one, as the functions of mt return it, or the milter has not answered `reply`.
function expect(what, conn, problem, reply)
    check(what .. ": " .. tostring(problem), problem == nil)
    local heard = mt.getreply(conn)
    check(what .. " was answered " .. string.char(math.floor(heard)), heard == reply)
end

function connect()
    local conn = mt.connect(socket)
    check("no connection", conn ~= nil)
    check("no negotiation", mt.negotiate(conn, nil, nil, nil) == nil)
    return conn
end

-- Envelope and headers; returns what the end of the headers is answered. msg_size nil: the macro is not sent.
function begin(conn, queue_id, msg_size)
    expect("MAIL", conn, mt.mailfrom(conn, "<sender@example.com>"), SMFIR_CONTINUE)
    mt.macro(conn, SMFIC_RCPT, "{rcpt_mailer}", "relay")
    expect("RCPT", conn, mt.rcptto(conn, "<recipient@example.org>"), SMFIR_CONTINUE)
    expect("Subject", conn, mt.header(conn, "Subject", " figures"), SMFIR_CONTINUE)
    expect("Content-Type", conn, mt.header(conn, "Content-Type", " text/plain"), SMFIR_CONTINUE)
    if msg_size == nil then
        mt.macro(conn, SMFIC_EOH, "i", queue_id)
    else
        mt.macro(conn, SMFIC_EOH, "i", queue_id, "{msg_size}", tostring(msg_size))
    end
    check("end of headers", mt.eoh(conn) == nil)
    return mt.getreply(conn)
end

function let_go_unread(conn, queue_id)
    check("a small message is read", begin(conn, queue_id, 1000) == SMFIR_ACCEPT)
end

-- A message that is read to its end; is_over: it should be replaced, else left as it is.
function hand_over(conn, queue_id, size_bytes, msg_size, is_over)
    check("the body is not wanted", begin(conn, queue_id, msg_size) == SMFIR_CONTINUE)
    check("body", mt.bodyrandom(conn, size_bytes) == nil)
    expect("end of message", conn, mt.eom(conn), SMFIR_ACCEPT)
    for _, name in ipairs({ "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "X-Woomera-Id" }) do
        check(name, mt.eom_check(conn, MT_HDRCHANGE, name) == is_over)
    end
    check("the body", mt.eom_check(conn, MT_BODYCHANGE) == is_over)
    leaves_the_rest(conn)
end

function leaves_the_rest(conn)
    check("the subject is changed", not mt.eom_check(conn, MT_HDRCHANGE, "Subject"))
    check("a header is added or inserted", not (mt.eom_check(conn, MT_HDRADD) or mt.eom_check(conn, MT_HDRINSERT)))
    check("a recipient is added", not mt.eom_check(conn, MT_RCPTADD, "<recipient@example.org>"))
    check("the recipient is removed", not mt.eom_check(conn, MT_RCPTDELETE, "<recipient@example.org>"))
    check("it is quarantined", not mt.eom_check(conn, MT_QUARANTINE))
end
