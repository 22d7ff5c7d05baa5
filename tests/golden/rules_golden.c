// SPDX-License-Identifier: BSD-3-Clause
// Message rules, a condition or an action each: NAME.case has rules in YAML, then messages, each
// with what must become of it. Adding a case is adding a file. Its parts begin with lines "===
// ...":
//   === rules                       the set s, which trunks a and b list under in and out
//   === message in|out [ingress=T] [egress=T] [in_call=no] [early] [peer_lacks_timer]
//   === steps                       what each rule did, what the call logic is told, and the
//   message
// Lines end with CRLF on the wire; the body follows an empty line, and {LEN} is its length.
// Usage: golden_rules DIRECTORY [--write] (--write: make the steps from what comes now, to be read)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_load.h"
#include "golden.h"
#include "rules/rules.h"
#include "sip/name_addr.h"
#include "sip/numbers.h"

static const char *const trunks[] = {"a", "b"};

static struct config *load(const char *name, struct slice rules)
{
	struct config_errors errors = {0};
	struct config *c = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	fputs("ports: { p: { device: x, addresses: [192.0.2.1/24] } }\n"
	      "trunks:\n"
	      "  a: { port: p, peers: [192.0.2.2], rules: { in: [s], out: [s] } }\n"
	      "  b: { port: p, peers: [192.0.2.3], rules: { in: [s], out: [s] } }\n"
	      "routes: [ { to: [a] }, { from: a, to: [b] } ]\n"
	      "rules:\n  s:\n",
	      f);
	while (rules.len != 0) {
		int64_t end = slice_find(rules, '\n');
		uint32_t n = end >= 0 ? (uint32_t)end + 1 : rules.len;

		fprintf(f, "    " SLICE_FMT, SLICE_ARG(slice_first(rules, n)));
		rules = slice_from(rules, n);
	}
	fclose(f);
	if (config_load_text(&c, slice_of_str(text), name, NULL, NULL, &errors) != 0)
		config_errors_print(&errors, stdout);
	config_errors_free(&errors);
	free(text);
	return c;
}

// The bytes on the wire; {LEN} becomes the length of the body.
static struct slice to_wire(struct slice text)
{
	static char wire[SIP_MSG_MAX_BYTES], whole[SIP_MSG_MAX_BYTES];
	struct outbuf o = outbuf_of(wire, sizeof(wire)), all = outbuf_of(whole, sizeof(whole));
	const char *blank, *mark;

	for (uint32_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\n')
			outbuf_put_char(&o, '\r');
		outbuf_put_char(&o, (char)text.p[i]);
	}
	if (o.len >= sizeof(wire) - 1)
		return SLICE_NONE;
	wire[o.len] = 0;
	blank = strstr(wire, "\r\n\r\n");
	mark = strstr(wire, "{LEN}");
	if (blank == NULL || mark == NULL || mark > blank)
		return outbuf_slice(&o);
	outbuf_put(&all, wire, (size_t)(mark - wire));
	outbuf_put_u64(&all, strlen(blank + 4));
	outbuf_put_str(&all, mark + 5);
	return outbuf_slice(&all);
}

static bool has_word(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	return at != NULL && at[-1] == ' ' && strchr(" ", at[strlen(word)]) != NULL;
}

static uint16_t trunk_of(const char *line, const char *key, uint16_t none)
{
	for (uint16_t i = 0; i < 2; i++) {
		char word[32];

		snprintf(word, sizeof(word), "%s%s", key, trunks[i]);
		if (has_word(line, word))
			return i;
	}
	return none;
}

static void read_facts(const char *line, const struct sip_msg *m, struct rules_facts *f)
{
	bool out = has_word(line, "out");
	struct slice tag = SLICE_NONE;
	struct sip_name_addr to;
	struct sip_cseq cseq = {0};

	(void)sip_cseq_of(m, &cseq);
	if (sip_name_addr_of(m, SIP_H_TO, &to) == 0)
		(void)sip_name_addr_tag(&to, &tag);
	*f = (struct rules_facts){
		.msg = m,
		.trunk = out ? 1 : 0,
		.ingress = trunk_of(line, "ingress=", 0),
		.egress = trunk_of(line, "egress=", out ? 1 : RULES_NO_TRUNK),
		.direction = out ? RULE_OUT : RULE_IN,
		.method = cseq.method,
		.dialog = tag.len != 0 && !has_word(line, "early") ? RULE_DIALOG_IN
								   : RULE_DIALOG_CREATING,
		.in_call = !has_word(line, "in_call=no"),
		.peer_lacks_timer = has_word(line, "peer_lacks_timer"),
	};
}

static void put_step(void *ctx, const struct rules_step *step)
{
	FILE *f = ctx;

	fprintf(f, SLICE_FMT ": %s", SLICE_ARG(step->rule->name),
		step->refused != NULL ? "refused: "
		: step->changed	      ? "changed"
		: step->matched	      ? "matched"
				      : "does not hold");
	fprintf(f, "%s\n", step->refused != NULL ? step->refused : "");
}

static void put_result(FILE *f, const struct rules_program *p, const struct rules_result *r)
{
	static const char *const refreshers[] = {NULL, "local", "remote"};

	if (r->verdict == RULES_REJECT)
		fprintf(f, "verdict: reject %u " SLICE_FMT "\n", r->code, SLICE_ARG(r->reason));
	if (r->verdict == RULES_DROP)
		fputs("verdict: drop\n", f);
	if (r->strip_timer)
		fputs("call: strip_session_timer\n", f);
	if (r->disarm)
		fputs("call: disarm\n", f);
	if (r->hide_update)
		fputs("call: hide_update\n", f);
	if (r->trace)
		fputs("call: trace\n", f);
	if (r->refresher != 0)
		fprintf(f, "call: force_refresher %s\n", refreshers[r->refresher]);
	for (unsigned i = 0; i < RULES_LABELS; i++)
		if ((r->labels >> i & 1) != 0)
			fprintf(f, "call: tag " SLICE_FMT "\n", SLICE_ARG(rules_label(p, i)));
}

static void put_message(FILE *f, struct slice bytes)
{
	for (uint32_t i = 0; i < bytes.len; i++)
		if (bytes.p[i] != '\r')
			fputc(bytes.p[i], f);
}

// What becomes of one message, as the part "steps" has it. The scan of the classifier and none
// must say the same.
static void run(FILE *f, struct rules_program *p, const char *head, struct slice wire)
{
	static struct sip_msg m, again;
	static uint8_t made[SIP_MSG_MAX_BYTES];
	const struct rules_watch watch = {put_step, f};
	struct outbuf o = outbuf_of(made, sizeof(made));
	struct rules_result r = {0};
	struct rules_facts facts;
	struct sip_class class;
	char line[128];

	snprintf(line, sizeof(line), "%.*s", (int)(strchrnul(head, '\n') - head), head);
	if (sip_msg_parse(&m, wire) != 0) {
		fputs("NO MESSAGE\n", f);
		return;
	}
	read_facts(line, &m, &facts);
	classify_message(rules_patterns(p), rules_scratch(p, 0), &m, &class);
	facts.class = &class;
	if (!rules_apply(p, 0, &facts, &r, &watch) || !r.changed) {
		put_result(f, p, &r);
		fputs("unchanged\n", f);
		return;
	}
	put_result(f, p, &r);
	if (sip_edit_apply(&o, &m, r.edits) != 0 || o.len != r.len ||
	    sip_msg_parse(&again, outbuf_slice(&o)) != 0 || again.len != o.len) {
		fputs("NO MESSAGE LEFT\n", f);
		return;
	}
	fputc('\n', f);
	put_message(f, outbuf_slice(&o));
}

// --- files

// The part that begins at *at: its line, and what follows up to the next one. False: none is left.
static bool next_part(const char **at, const char **line, struct slice *text)
{
	const char *begin, *end;

	if (**at == 0)
		return false;
	*line = *at;
	begin = strchrnul(*at, '\n');
	begin += *begin != 0;
	end = strncmp(begin, "=== ", 4) == 0 ? begin : strstr(begin, "\n=== ");
	if (end != NULL && end != begin)
		end++;
	if (end == NULL)
		end = begin + strlen(begin);
	*text = slice_of((const uint8_t *)begin, (size_t)(end - begin));
	*at = end;
	return true;
}

// The file with the steps that come now; NULL: it is no case.
static char *rewritten(const char *name, const char *text)
{
	const char *at = strstr(text, "=== rules\n"), *line;
	struct config *c = NULL;
	struct slice part;
	char *got = NULL;
	size_t size = 0;
	FILE *f;

	if (at == NULL)
		return NULL;
	f = open_memstream(&got, &size);
	fwrite(text, 1, (size_t)(at - text), f);
	while (next_part(&at, &line, &part)) {
		if (strncmp(line, "=== steps\n", 10) == 0)
			continue; // made anew, below its message
		fwrite(line, 1, (size_t)((const char *)part.p - line), f);
		fwrite(part.p, 1, part.len, f);
		if (strncmp(line, "=== rules\n", 10) == 0)
			c = c == NULL ? load(name, part) : c;
		else if (c == NULL || c->program == NULL || strncmp(line, "=== message ", 12) != 0)
			fputs("THIS PART IS NONE\n", f);
		else {
			fputs("=== steps\n", f);
			run(f, c->program, line, to_wire(part));
		}
	}
	fclose(f);
	config_free(c);
	return got;
}

static bool check_case(const char *dir, const char *name, bool write)
{
	char path[1024], *text, *got;
	bool good = false;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text = golden_read(path);
	got = text != NULL ? rewritten(name, text) : NULL;
	if (got != NULL && write) {
		FILE *f = fopen(path, "we");

		good = f != NULL && fputs(got, f) >= 0 && fclose(f) == 0;
	} else if (got != NULL) {
		good = strcmp(got, text) == 0 && strstr(text, "\n=== steps\n") != NULL;
	}
	if (!good)
		printf("FAIL %s\n%s\n", name, got != NULL ? got : "cannot be read");
	free(got);
	free(text);
	return good;
}

int main(int argc, char **argv)
{
	bool write = argc == 3 && strcmp(argv[2], "--write") == 0;
	struct golden_sum sum = {0};

	if (argc != 2 && !write) {
		fputs("usage: golden_rules DIRECTORY [--write]\n", stderr);
		return 2;
	}
	(void)golden_each(&sum, argv[1], ".case", check_case, write);
	return golden_end(&sum);
}
