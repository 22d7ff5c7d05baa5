// SPDX-License-Identifier: BSD-3-Clause
// The complete configuration file as text: every key with its default, unit, bounds and meaning.
// Any thread; writes into the caller's buffer. Keys and words come from keys.def; only the
// example's names and addresses (RFC 5737, RFC 3849) are written here.
#include <errno.h>

#include "config/config_text.h"

#define COLUMNS 100

// Values of the example for keys that have no default or show more than it.
struct example {
	enum config_top top;
	const char *entry; // name, or "-" for a route
	const char *key;
	const char *value;
};

static const struct example examples[] = {
	{CONFIG_TOP_PORTS, "access", "device", "\"net_af_packet0,iface=eth1\""},
	{CONFIG_TOP_PORTS, "access", "addresses", "[192.0.2.1/24, \"2001:db8::1/64\"]"},
	{CONFIG_TOP_PORTS, "access", "gateway", "[192.0.2.254]"},
	{CONFIG_TOP_PORTS, "core", "device", "\"net_af_packet1,iface=eth2\""},
	{CONFIG_TOP_PORTS, "core", "addresses", "[198.51.100.1/24]"},
	{CONFIG_TOP_PROFILES, "default", "", ""},
	{CONFIG_TOP_TRUNKS, "\"8068\"", "port", "access"},
	{CONFIG_TOP_TRUNKS, "\"8068\"", "peers", "[\"192.0.2.10:5060\"]"},
	{CONFIG_TOP_TRUNKS, "\"8068\"", "sources", "[192.0.2.16/28]"},
	{CONFIG_TOP_TRUNKS, "core1", "port", "core"},
	{CONFIG_TOP_TRUNKS, "core1", "peers", "[\"198.51.100.10:5060\", \"198.51.100.11:5060\"]"},
	{CONFIG_TOP_ROUTES, "-", "from", "\"8068\""},
	{CONFIG_TOP_ROUTES, "-", "prefix", "\"+1\""},
	{CONFIG_TOP_ROUTES, "-", "to", "[core1]"},
	{CONFIG_TOP_ROUTES, "- ", "from", "core1"},
	{CONFIG_TOP_ROUTES, "- ", "to", "[\"8068\"]"},
};
#define N_EXAMPLES (sizeof(examples) / sizeof(examples[0]))

// Sets of rules have a grammar of their own; conf/rules.md explains it.
#define RULES_EXAMPLE                                                                        \
	"\n"                                                                                 \
	"  # a list of rules: when all of `when` holds, what `do` says is done in order\n"   \
	"  fix-8068:\n"                                                                      \
	"    - name: \"no-timer-in-200\"\n"                                                  \
	"      when: { kind: response, code: [200], transaction: [INVITE], header: { name: " \
	"Session-Expires, present: true } }\n"                                               \
	"      do:\n"                                                                        \
	"        - strip_session_timer: true\n"                                              \
	"  # a preset by another name; trunks may also name presets themselves\n"            \
	"  half: cube_half_deadline\n"                                                       \
	"  # files of other systems: smc (VSXi), sip_profiles (Cisco CUBE)\n"                \
	"  # old: { import: \"smc /etc/verge/smc-18.json\" }\n"

static const char *example_of(enum config_top top, const char *entry, const char *key)
{
	for (size_t i = 0; i < N_EXAMPLES; i++)
		if (examples[i].top == top && strcmp(examples[i].entry, entry) == 0 &&
		    strcmp(examples[i].key, key) == 0)
			return examples[i].value;
	return NULL;
}

static void indent(struct outbuf *out, unsigned by)
{
	for (unsigned i = 0; i < by; i++)
		outbuf_put_char(out, ' ');
}

// Words as comment lines that end before COLUMNS, behind `hang` further spaces.
static void print_words(struct outbuf *out, unsigned by, unsigned hang, const char *text)
{
	struct slice rest = slice_of_str(text);

	while (rest.len != 0) {
		uint32_t room = COLUMNS - by - 2 - hang, len = rest.len;

		if (len > room) {
			len = room;
			while (len > 0 && rest.p[len] != ' ')
				len--;
			if (len == 0)
				len = room;
		}
		indent(out, by);
		outbuf_put_lit(out, "# ");
		indent(out, hang);
		outbuf_put_slice(out, slice_first(rest, len));
		outbuf_put_char(out, '\n');
		rest = slice_trim(slice_from(rest, len));
	}
}

static void print_comment(struct outbuf *out, unsigned by, const char *text)
{
	print_words(out, by, 0, text);
}

static void print_choices(struct outbuf *out, unsigned by, const struct config_key *k)
{
	char line[200];

	for (uint32_t i = 0; i < k->n_choices; i++) {
		struct outbuf o = outbuf_of(line, sizeof(line) - 1);

		outbuf_put_str(&o, k->choices[i].word);
		outbuf_put_lit(&o, ": ");
		outbuf_put_str(&o, k->choices[i].help);
		line[o.len] = 0;
		print_words(out, by, 2, line);
	}
}

static bool has_bounds(const struct config_key *k)
{
	return k->max != 0;
}

static void put_bounds(struct outbuf *o, const struct config_key *k)
{
	bool text = k->type == CONFIG_T_STR || k->type == CONFIG_T_SECRET;

	config_text_print_number(o, k->min);
	outbuf_put_lit(o, " to ");
	config_text_print_number(o, k->max);
	if (config_schema_is_list(k->type))
		outbuf_put_lit(o, " entries");
	else if (text)
		outbuf_put_lit(o, " characters");
}

// "s, 90 to 86400; default 1800; a change needs a restart"
static void print_facts(struct outbuf *out, unsigned by, const struct config_key *k)
{
	char line[240];
	struct outbuf o = outbuf_of(line, sizeof(line) - 1);

	if (k->unit[0] != 0)
		outbuf_put_str(&o, k->unit);
	if (has_bounds(k)) {
		outbuf_put_str(&o, k->unit[0] != 0 ? ", " : "");
		put_bounds(&o, k);
	}
	outbuf_put_str(&o, o.len != 0 ? "; " : "");
	if (k->def == NULL) {
		outbuf_put_lit(&o, "must be given");
	} else {
		bool empty = k->def[0] == 0;

		outbuf_put_lit(&o, "default ");
		outbuf_put_str(&o, empty ? "\"\"" : k->def);
	}
	if (!k->live)
		outbuf_put_lit(&o, "; a change needs a restart");
	line[o.len] = 0;
	print_comment(out, by, line);
}

static void print_default(struct outbuf *out, const struct config_key *k)
{
	bool quoted =
		k->type == CONFIG_T_STR || k->type == CONFIG_T_SECRET || k->type == CONFIG_T_LISTEN;

	outbuf_put_str(out, quoted ? "\"" : "");
	outbuf_put_str(out, k->def != NULL ? k->def : "");
	outbuf_put_str(out, quoted ? "\"" : "");
}

static void print_section(struct outbuf *out, unsigned by, const struct config_section *s,
			  enum config_top top, const char *entry);

// In a trunk the timer's keys are the profile's: they are explained there.
static bool is_repeated(enum config_top top, const struct config_key *k)
{
	return top == CONFIG_TOP_TRUNKS && k->section == &config_schema_timer;
}

static void print_key(struct outbuf *out, unsigned by, const struct config_key *k,
		      enum config_top top, const char *entry)
{
	const char *value = example_of(top, entry, k->name);

	print_comment(out, by, k->help);
	if (k->section == NULL) {
		print_choices(out, by, k);
		print_facts(out, by, k);
	}
	indent(out, by);
	outbuf_put_str(out, k->name);
	outbuf_put_char(out, ':');
	if (is_repeated(top, k)) {
		outbuf_put_lit(out, " {}\n");
	} else if (k->section != NULL) {
		outbuf_put_char(out, '\n');
		print_section(out, by + 2, k->section, top, entry);
	} else {
		outbuf_put_char(out, ' ');
		if (value != NULL)
			outbuf_put_str(out, value);
		else
			print_default(out, k);
		outbuf_put_char(out, '\n');
	}
}

static void print_section(struct outbuf *out, unsigned by, const struct config_section *s,
			  enum config_top top, const char *entry)
{
	for (uint32_t i = 0; i < s->n; i++)
		print_key(out, by, &s->keys[i], top, entry);
}

// A further entry: only what it sets.
static void print_short(struct outbuf *out, enum config_top top, const char *entry)
{
	bool first = true;

	for (size_t i = 0; i < N_EXAMPLES; i++) {
		if (examples[i].top != top || strcmp(examples[i].entry, entry) != 0)
			continue;
		outbuf_put_str(out, first ? "{ " : ", ");
		outbuf_put_str(out, examples[i].key);
		outbuf_put_lit(out, ": ");
		outbuf_put_str(out, examples[i].value);
		first = false;
	}
	outbuf_put_lit(out, " }\n");
}

static void print_entries(struct outbuf *out, enum config_top top)
{
	const struct config_top_row *row = &config_schema_top[top];
	const char *last = "";
	bool first = true;

	for (size_t i = 0; i < N_EXAMPLES; i++) {
		const char *entry = examples[i].entry;

		if (examples[i].top != top || strcmp(entry, last) == 0)
			continue;
		last = entry;
		indent(out, 2);
		if (row->shape == CONFIG_LIST) {
			outbuf_put_lit(out, "- ");
		} else {
			outbuf_put_str(out, entry);
			outbuf_put_char(out, ':');
		}
		if (!first) {
			outbuf_put_str(out, row->shape == CONFIG_LIST ? "" : " ");
			print_short(out, top, entry);
			continue;
		}
		outbuf_put_str(out, row->shape == CONFIG_LIST ? "# the first route\n" : "\n");
		print_section(out, 4, row->section, top, entry);
		first = false;
	}
}

int config_print(struct outbuf *out)
{
	outbuf_put_lit(out, "# SPDX-License-Identifier: BSD-3-Clause\n");
	print_comment(out, 0,
		      "Configuration of verge: every key with its default. Whatever is left out "
		      "has its default; YAML 1.1, so JSON works too. Times are numbers with s, m, "
		      "h or d behind them, or without for the unit that is named. verge -c FILE "
		      "--check says what is wrong and what would be negotiated; SIGHUP or vergectl "
		      "reload makes verge read the file again.");
	for (uint32_t top = 0; top < CONFIG_TOP_N; top++) {
		const struct config_top_row *row = &config_schema_top[top];

		outbuf_put_char(out, '\n');
		print_comment(out, 0, row->help);
		outbuf_put_str(out, row->name);
		outbuf_put_char(out, ':');
		if (row->section == NULL) {
			outbuf_put_lit(out, RULES_EXAMPLE);
			continue;
		}
		outbuf_put_char(out, '\n');
		if (row->shape == CONFIG_ONE)
			print_section(out, 2, row->section, top, "");
		else
			print_entries(out, top);
	}
	return out->full ? -ENOSPC : 0;
}
