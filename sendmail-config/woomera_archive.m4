divert(-1)
dnl SES Woomera's archive milter, which keeps copies, among sendmail's input filters.
dnl
dnl	FEATURE(`woomera_archive', `SOCKET', `TIMEOUTS')
dnl
dnl SOCKET	where `woomera archive-milter' listens: `unix:/run/woomera/archive.sock' (the default) or,
dnl	say, `inet:8895@127.0.0.1'. It is archive.socket of /etc/woomera/config.yaml.
dnl TIMEOUTS	C to connect, S to send to the milter, R to hear from it, E from the end of a message
dnl	to the verdict. Mail waits no longer than that for a milter that hangs, and passes.
dnl
dnl This line stands below those of all other filters: the milter keeps what they let through, as they
dnl changed it. It has no failure flag on purpose: whatever becomes of it, mail passes.
dnl
dnl It asks for a message's size as FEATURE(`woomera') does, once for both.
divert(0)dnl
VERSIONID(`woomera_archive.m4 2.0')
divert(-1)

define(`_WOOMERA_ARCHIVE_SOCKET_', ifelse(len(X`'_ARG_), `1', `unix:/run/woomera/archive.sock', `_ARG_'))
define(`_WOOMERA_ARCHIVE_TIMEOUTS_', ifelse(len(X`'_ARG2_), `1', `C:5s;S:30s;R:1m;E:3m', `_ARG2_'))

INPUT_MAIL_FILTER(`woomera_archive', `S=_WOOMERA_ARCHIVE_SOCKET_'``, T='_WOOMERA_ARCHIVE_TIMEOUTS_')

dnl A list of macros may be quoted once or, as sendmail's own are, twice; both come out quoted twice,
dnl so that whoever adds to it after us loses nothing at its commas.
define(`_WOOMERA_LIST_', ```$*''')
ifelse(index(defn(`confMILTER_MACROS_EOH'), `{msg_size}'), `-1',
	`define(`confMILTER_MACROS_EOH',
		_WOOMERA_LIST_(ifdef(`confMILTER_MACROS_EOH', `confMILTER_MACROS_EOH`, '')`{msg_size}'))')
