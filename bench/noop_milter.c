/*
 * The least that a filter which reads the whole message can cost: every callback is there, so the
 * MTA sends all it has, and each one answers CONTINUE without a look at what it was given.
 *
 * Usage: noop_milter SOCKET, with SOCKET as in sendmail's S=, such as inet:8894@127.0.0.1
 */

#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>

static sfsistat on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
	(void)context, (void)host, (void)address;
	return SMFIS_CONTINUE;
}

static sfsistat on_word(SMFICTX *context, char *word)
{
	(void)context, (void)word;
	return SMFIS_CONTINUE;
}

static sfsistat on_address(SMFICTX *context, char **words)
{
	(void)context, (void)words;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *context, char *name, char *value)
{
	(void)context, (void)name, (void)value;
	return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *context, unsigned char *octets, size_t length)
{
	(void)context, (void)octets, (void)length;
	return SMFIS_CONTINUE;
}

static sfsistat on_event(SMFICTX *context)
{
	(void)context;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "noop",
		.xxfi_version = SMFI_VERSION,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_word,
		.xxfi_envfrom = on_address,
		.xxfi_envrcpt = on_address,
		.xxfi_header = on_header,
		.xxfi_eoh = on_event,
		.xxfi_body = on_body,
		.xxfi_eom = on_event,
		.xxfi_abort = on_event,
		.xxfi_close = on_event,
		.xxfi_data = on_event,
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
		return EXIT_FAILURE;
	}
	if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS) {
		fprintf(stderr, "%s: libmilter does not take the socket %s\n", argv[0], argv[1]);
		return EXIT_FAILURE;
	}
	return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
