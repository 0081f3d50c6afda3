divert(-1)
dnl SES Woomera's milter, among sendmail's input filters.
dnl
dnl	FEATURE(`woomera', `SOCKET', `FLAG', `TIMEOUTS')
dnl
dnl SOCKET	where the milter listens: `unix:/run/woomera/milter.sock' (the default) or, say,
dnl	`inet:8894@127.0.0.1'. It is milter.socket of /etc/woomera/config.yaml.
dnl FLAG	what becomes of mail while the milter is down or dies: `T' (the default) tells the client
dnl	to try again, `4' does so and hangs up, `R' refuses the mail, `none' lets it pass unfiltered.
dnl TIMEOUTS	C to connect, S to send to the milter, R to hear from it, E from the end of a message
dnl	to the verdict. E must exceed milter.deadline of config.yaml amply: the milter's signs of
dnl	life while it stores a message restart R, and never E.
dnl
dnl It also asks sendmail to tell the milter a message's size at the end of its headers, which is what
dnl spares small mail the way of its body through the milter. It adds to confMILTER_MACROS_EOH: your
dnl own definition, if any, stands before this line or adds to it likewise.
divert(0)dnl
VERSIONID(`woomera.m4 2.0')
divert(-1)

define(`_WOOMERA_SOCKET_', ifelse(len(X`'_ARG_), `1', `unix:/run/woomera/milter.sock', `_ARG_'))
define(`_WOOMERA_FLAG_', ifelse(len(X`'_ARG2_), `1', `T', `_ARG2_'))
define(`_WOOMERA_TIMEOUTS_', ifelse(len(X`'_ARG3_), `1', `C:30s;S:2m;R:2m;E:10m', `_ARG3_'))

ifelse(index(` T 4 R none ', ` '_WOOMERA_FLAG_` '), `-1',
	`errprint(`*** ERROR: FEATURE(`woomera'): failure flag "'_WOOMERA_FLAG_`" is not T, 4, R or none
')')

dnl sendmail knows no flag for "pass": a filter without F= is skipped when it fails.
INPUT_MAIL_FILTER(`woomera', `S=_WOOMERA_SOCKET_'ifelse(_WOOMERA_FLAG_, `none', `', ``, F='_WOOMERA_FLAG_')``, T='_WOOMERA_TIMEOUTS_')

dnl A list of macros may be quoted once or, as sendmail's own are, twice; both come out quoted twice,
dnl so that whoever adds to it after us loses nothing at its commas.
define(`_WOOMERA_LIST_', ```$*''')
define(`confMILTER_MACROS_EOH',
	_WOOMERA_LIST_(ifdef(`confMILTER_MACROS_EOH', `confMILTER_MACROS_EOH`, '')`{msg_size}'))
