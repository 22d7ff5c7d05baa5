// SPDX-License-Identifier: BSD-3-Clause
// Writes the manual pages whose facts stand in tables: verge.yaml(5) from lib/config/keys.def, the
// commands of vergectl(1) from control/commands.def. A build tool: manual yaml|vergectl > FILE.
// Source of the macros: man(7).
#include <stdio.h>
#include <string.h>

#include "config/config_schema.h"
#include "config/config_text.h"

static const char yaml_head[] =
	".TH VERGE.YAML 5 \"\" \"verge " VERGE_VERSION "\" \"verge\"\n"
	".SH NAME\n"
	"verge.yaml \\- configuration of verge\n"
	".SH DESCRIPTION\n"
	"YAML 1.1, so JSON works too. Whatever is left out has its default. Times are numbers with "
	"s, m, h or d behind them, or without for the unit that is named.\n"
	".B verge \\-\\-print\\-config\n"
	"prints all of this as a file;\n"
	".B verge \\-c FILE \\-\\-check\n"
	"says what is wrong with one, by line, and what would be negotiated. SIGHUP or\n"
	".B vergectl reload\n"
	"makes verge read it again; calls in progress go on. Keys marked with \"restart\" refuse a "
	"reload that changes them.\n";

static const char yaml_tail[] = ".SH FILES\n"
				".I /etc/verge/verge.yaml\n"
				".br\n"
				".I /usr/share/doc/verge/examples/\n"
				".SH SEE ALSO\n"
				".BR verge (8),\n"
				".BR vergectl (1)\n";

static const char ctl_head[] =
	".TH VERGECTL 1 \"\" \"verge " VERGE_VERSION "\" \"verge\"\n"
	".SH NAME\n"
	"vergectl \\- ask and steer a running verge\n"
	".SH SYNOPSIS\n"
	".B vergectl\n"
	"[\\fB\\-s\\fR \\fISOCKET\\fR] [\\fB\\-\\-json\\fR] \\fICOMMAND\\fR\n"
	".SH DESCRIPTION\n"
	"Speaks to verge over its UNIX socket. Who may write to the socket may use it: root and "
	"the "
	"group of system.user.\n"
	".SH OPTIONS\n"
	".TP\n"
	".BI \\-s \" SOCKET\"\n"
	"the socket; without it $VERGE_SOCKET or /run/verge/verge.sock\n"
	".TP\n"
	".B \\-\\-json\n"
	"print the answer as it came\n"
	".SH COMMANDS\n";

static const char ctl_tail[] =
	".SH EXIT STATUS\n"
	"0 done, 1 refused (the reason is on standard error; that its socket may not be opened is "
	"one), 2 usage, 3 verge is not running.\n"
	".SH EXAMPLES\n"
	"What ends a call that is up, and when (its Call\\-ID is the last column of calls):\n"
	".PP\n"
	".RS\n"
	"vergectl calls \\-\\-trunk carrier \\-\\-over 900\n"
	".br\n"
	"vergectl why 3848276298220188511@192.0.2.10\n"
	".RE\n"
	".PP\n"
	"Why the last calls of a trunk ended, and what to tell its owner:\n"
	".PP\n"
	".RS\n"
	"vergectl cdr tail \\-\\-trunk carrier\n"
	".br\n"
	"vergectl trunk carrier report \\-\\-format markdown\n"
	".RE\n"
	".PP\n"
	"What a shorter interval would cost on a trunk and gain, before it is set:\n"
	".PP\n"
	".RS\n"
	"vergectl what\\-if carrier se=600 refresher=local\n"
	".RE\n"
	".SH SEE ALSO\n"
	".BR verge (8),\n"
	".BR verge.yaml (5)\n";

// Text as roff takes it. starts: at the start of a line, where . and ' would be requests.
static void put(const char *text, bool starts)
{
	if (starts && (*text == '.' || *text == '\''))
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

static void put_line(const char *text)
{
	put(text, true);
	putchar('\n');
}

static void put_number(double v)
{
	char text[40];
	struct outbuf o = outbuf_of(text, sizeof(text) - 1);

	config_text_print_number(&o, v);
	text[o.len] = '\0';
	put(text, false);
}

// "s, 90 to 86400; default 1800; restart"
static void put_facts(const struct config_key *k)
{
	const char *apart = "";

	if (k->unit[0] != '\0') {
		put(k->unit, true);
		apart = ", ";
	}
	if (k->max != 0) {
		fputs(apart, stdout);
		put_number(k->min);
		fputs(" to ", stdout);
		put_number(k->max);
		apart = "; ";
	}
	fputs(*apart != '\0' ? "; " : "", stdout);
	if (k->def == NULL) {
		fputs("must be given", stdout);
	} else {
		fputs("default ", stdout);
		put(k->def[0] != '\0' ? k->def : "\"\"", false);
	}
	puts(k->live ? "" : "; restart");
}

static void put_section(const struct config_section *s, bool inside_trunk);

static void put_key(const struct config_key *k, bool inside_trunk)
{
	fputs(".TP\n.B ", stdout);
	put_line(k->name);
	put_line(k->help);
	if (k->section != NULL) {
		// in a trunk the timer's keys are the profile's: they are explained there
		if (inside_trunk && k->section == &config_schema_timer)
			return;
		puts(".RS");
		put_section(k->section, inside_trunk);
		puts(".RE");
		return;
	}
	for (uint32_t i = 0; i < k->n_choices; i++) {
		fputs(".br\n.I ", stdout);
		put(k->choices[i].word, false);
		fputs("\n(", stdout);
		put(k->choices[i].help, false);
		puts(")");
	}
	puts(".br");
	put_facts(k);
}

static void put_section(const struct config_section *s, bool inside_trunk)
{
	for (uint32_t i = 0; i < s->n; i++)
		put_key(&s->keys[i], inside_trunk);
}

static void put_top(const struct config_top_row *row)
{
	static const char *const shapes[] = {
		[CONFIG_ONE] = "",
		[CONFIG_NAMED] = "A map: each entry has a name of yours and these keys.\n",
		[CONFIG_LIST] = "A list: each entry has these keys.\n",
	};

	fputs(".SH ", stdout);
	for (const char *p = row->name; *p != '\0'; p++)
		putchar(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	fputs("\n.B ", stdout);
	put(row->name, false);
	puts(":\n.br");
	put_line(row->help);
	if (row->section == NULL)
		return;
	fputs(shapes[row->shape], stdout);
	put_section(row->section, row->section == &config_schema_trunk);
}

static void put_command(const char *words, const char *help)
{
	fputs(".TP\n.B ", stdout);
	put_line(words);
	put_line(help);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "yaml") == 0) {
		fputs(yaml_head, stdout);
		for (unsigned i = 0; i < CONFIG_TOP_N; i++)
			put_top(&config_schema_top[i]);
		fputs(yaml_tail, stdout);
	} else if (argc == 2 && strcmp(argv[1], "vergectl") == 0) {
		fputs(ctl_head, stdout);
#define COMMAND(id, words, help) put_command(words, help);
#include "control/commands.def"
		put_command("help [COMMAND]", "the commands, or what one of them does");
		fputs(ctl_tail, stdout);
	} else {
		fputs("usage: manual yaml|vergectl\n", stderr);
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
