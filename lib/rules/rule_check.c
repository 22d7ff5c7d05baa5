// SPDX-License-Identifier: BSD-3-Clause
// What a rule may be. Control thread or a command.
#include "rules/rule_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "classify/classify.h"
#include "rules/regex.h"
#include "rules/variable.h"
#include "sip/chars.h"

__attribute__((format(printf, 2, 3))) static bool wrong(char *fault, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fault, RULE_FAULT_MAX, fmt, ap);
	va_end(ap);
	return false;
}

// --- pieces

static bool is_token(struct slice s)
{
	return s.len <= RULE_MAX_TEXT && sip_chars_all_token(s);
}

// A value on one line.
static bool is_line(struct slice s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return s.len <= RULE_MAX_TEXT;
}

bool rule_check_pattern(struct slice pattern, bool any_case, char fault[RULE_FAULT_MAX])
{
	struct regex *re;
	char why[RULE_FAULT_MAX - 64];
	int rc = regex_compile(&re, pattern, any_case, why, sizeof(why));

	if (rc != 0)
		return wrong(fault, "the regular expression %s",
			     rc == -EINVAL ? why : "finds no memory");
	regex_free(re);
	rc = classify_pattern_check(pattern, any_case, why, sizeof(why));
	// what Hyperscan cannot look for in advance is only tried by PCRE2 where the header is
	// there
	return rc != -EINVAL || strstr(why, "too large") == NULL ||
	       wrong(fault, "the regular expression is too large: %s", why);
}

// --- what must stay as it is

const char *rule_protected(uint8_t id)
{
	switch (id) {
	case SIP_H_VIA:
		return "Via carries verge's branch";
	case SIP_H_CSEQ:
		return "CSeq is the transaction's";
	case SIP_H_CALL_ID:
		return "Call-ID is the dialog's";
	case SIP_H_CONTENT_LENGTH:
		return "Content-Length is counted";
	case SIP_H_MAX_FORWARDS:
		return "Max-Forwards ends loops";
	case SIP_H_ROUTE:
	case SIP_H_RECORD_ROUTE:
		return "the route set is the dialog's";
	case SIP_H_RSEQ:
	case SIP_H_RACK:
		return "RSeq and RAck are the transaction's";
	}
	return NULL;
}

// From, To and Contact live on: their number stays one, their tag and our address stay.
static bool is_address(uint8_t id)
{
	return id == SIP_H_FROM || id == SIP_H_TO || id == SIP_H_CONTACT;
}

static bool check_header(const struct rule_header *h, const struct rule_action *a, char *fault)
{
	const char *why = rule_protected(h->id);

	if (!is_token(h->name) || h->name.len > 64)
		return wrong(fault, "'" SLICE_FMT "' is no header name", SLICE_ARG(h->name));
	if (h->id == CLASSIFY_REQUEST_URI)
		return wrong(fault, "the Request-URI is changed by uri only");
	if (why != NULL)
		return wrong(fault, SLICE_FMT " must not be touched: %s", SLICE_ARG(h->name), why);
	if (is_address(h->id) && (a->kind == RULE_DO_DELETE || a->kind == RULE_DO_ADD ||
				  a->kind == RULE_DO_RENAME || a->kind == RULE_DO_SET))
		return wrong(fault,
			     SLICE_FMT " must stay, with its tag and address: use uri or "
				       "substitute",
			     SLICE_ARG(h->name));
	return true;
}

static bool check_value(const char *key, struct slice text, bool may_be_empty, char *fault)
{
	if (!is_line(text) || (text.len == 0 && !may_be_empty))
		return wrong(fault, "%s is %s", key,
			     text.len == 0 ? "empty" : "not one line of at most 1024 bytes");
	return true;
}

// --- conditions

static bool check_test(const struct rule_test *t, bool has_header, char *fault)
{
	if (has_header && (!is_token(t->header.name) || t->header.name.len > 64))
		return wrong(fault, "'" SLICE_FMT "' is no header name", SLICE_ARG(t->header.name));
	switch ((enum rule_test_kind)t->kind) {
	case RULE_TEST_EQUALS:
		return check_value("equals", t->text, true, fault);
	case RULE_TEST_CONTAINS:
		return check_value("contains", t->text, false, fault);
	case RULE_TEST_MATCHES:
		return rule_check_pattern(t->text, !t->exact, fault);
	case RULE_TEST_PRESENT:
	case RULE_TEST_ABSENT:
	case RULE_TEST_LT:
	case RULE_TEST_LE:
	case RULE_TEST_GT:
	case RULE_TEST_GE:
	case RULE_TEST_N:
		break;
	}
	return true;
}

static bool check_codes(const struct rule_cond *c, char *fault)
{
	if (c->n_codes == 0 || c->n_codes > RULE_MAX_CODES)
		return wrong(fault, "code takes 1 to %d codes or ranges", RULE_MAX_CODES);
	for (uint32_t i = 0; i < c->n_codes; i++)
		if (c->codes[i].from < 100 || c->codes[i].to > 699 ||
		    c->codes[i].from > c->codes[i].to)
			return wrong(fault, "%u..%u is no range of codes from 100 to 699",
				     c->codes[i].from, c->codes[i].to);
	return true;
}

bool rule_check_cond(const struct rule_cond *c, char fault[RULE_FAULT_MAX])
{
	switch ((enum rule_cond_kind)c->kind) {
	case RULE_COND_NOT:
		return c->n_sub == 1 || wrong(fault, "not takes one condition");
	case RULE_COND_ANY:
		return c->n_sub != 0 || wrong(fault, "any needs a condition");
	case RULE_COND_DIRECTION:
	case RULE_COND_KIND:
	case RULE_COND_DIALOG:
	case RULE_COND_METHOD:
	case RULE_COND_TRANSACTION:
		return c->bits != 0 || wrong(fault, "%s names nothing", rule_cond_key(c->kind));
	case RULE_COND_CODE:
		return check_codes(c, fault);
	case RULE_COND_INGRESS:
	case RULE_COND_EGRESS:
		return c->n_trunks != 0 ||
		       wrong(fault, "%s names no trunk", rule_cond_key(c->kind));
	case RULE_COND_HEADER:
		return check_test(&c->test, true, fault);
	case RULE_COND_AGENT:
		return check_test(&c->test, false, fault);
	case RULE_COND_BODY:
		return check_value("body", c->text, true, fault);
	case RULE_COND_ALL:
	case RULE_COND_N:
		break;
	}
	return true;
}

// --- actions

static bool check_pattern_of(const struct rule_action *a, char *fault)
{
	struct regex *re;
	char why[RULE_FAULT_MAX - 64];
	int rc = regex_compile(&re, a->match, a->any_case, why, sizeof(why));
	unsigned groups;

	if (rc != 0)
		return wrong(fault, "the regular expression %s",
			     rc == -EINVAL ? why : "finds no memory");
	groups = regex_groups(re);
	regex_free(re);
	for (uint32_t i = 0; a->kind == RULE_DO_SUBSTITUTE && i < a->text.len; i++) {
		if (a->text.p[i] != '\\' || variable_at(a->text, i) != 0)
			continue;
		i++;
		if (i == a->text.len ||
		    (a->text.p[i] != '\\' && !sip_chars_is(a->text.p[i], SIP_CHARS_DIGIT)))
			return wrong(fault, "a backslash in `with` is \\0 to \\9, \\u01 to "
					    "\\u99, or \\\\ for itself");
		if (a->text.p[i] != '\\' && (unsigned)(a->text.p[i] - '0') > groups)
			return wrong(fault, "\\%c has no group: the pattern has %u", a->text.p[i],
				     groups);
	}
	return true;
}

static bool check_tokens(const struct slice *tokens, uint32_t n, char *fault)
{
	if (n > RULE_MAX_TOKENS)
		return wrong(fault, "more than %d tokens", RULE_MAX_TOKENS);
	for (uint32_t i = 0; i < n; i++)
		if (!is_token(tokens[i]) || tokens[i].len > 64)
			return wrong(fault, "'" SLICE_FMT "' is no token", SLICE_ARG(tokens[i]));
	return true;
}

static bool is_option_list(uint8_t id)
{
	return id == SIP_H_SUPPORTED || id == SIP_H_REQUIRE;
}

static bool check_option(const struct rule_action *a, char *fault)
{
	if (!is_option_list(a->header.id) && a->header.id != SIP_H_ALLOW &&
	    a->header.id != SIP_H_PROXY_REQUIRE && a->header.id != SIP_H_UNSUPPORTED &&
	    a->header.id != SIP_H_ALLOW_EVENTS)
		return wrong(fault, "option takes Allow, Supported, Require, Proxy-Require, "
				    "Unsupported or Allow-Events");
	if (a->n_add + a->n_remove == 0)
		return wrong(fault, "option neither adds nor removes anything");
	return check_tokens(a->add, a->n_add, fault) && check_tokens(a->remove, a->n_remove, fault);
}

static bool is_uri_text(struct slice s)
{
	if (s.p == NULL)
		return s.len == 0;
	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || memchr("<>@\",;?", s.p[i], 7) != NULL)
			return false;
	return s.len <= RULE_MAX_TEXT;
}

bool rule_check_user(struct slice user)
{
	return is_uri_text(user) && slice_find(user, ':') < 0;
}

bool rule_check_host(struct slice host)
{
	return host.len != 0 && is_uri_text(host);
}

static bool has_variable(struct slice text)
{
	uint32_t at = 0;

	return variable_next(text, false, &at) != 0;
}

static bool check_uri(const struct rule_action *a, char *fault)
{
	if (a->user.p == NULL && a->host.p == NULL && a->n_params == 0)
		return wrong(fault, "uri changes nothing: give user, host or param");
	if (a->user.p != NULL && !rule_check_user(a->user))
		return wrong(fault, "user may not hold spaces or any of <>@\",;?:");
	if (a->host.p != NULL && !rule_check_host(a->host))
		return wrong(fault, "host is empty or holds spaces or any of <>@\",;?");
	if (a->n_params > RULE_MAX_PARAMS)
		return wrong(fault, "more than %d parameters", RULE_MAX_PARAMS);
	for (uint32_t i = 0; i < a->n_params; i++)
		if (!is_token(a->params[i].name) || !is_uri_text(a->params[i].value))
			return wrong(fault, "parameter '" SLICE_FMT "' or its value is no token",
				     SLICE_ARG(a->params[i].name));
	for (uint32_t i = 0; i < a->n_params; i++)
		if (has_variable(a->params[i].value))
			return wrong(fault, "param takes no variable: user and host do");
	return a->request_uri || check_header(&a->header, a, fault);
}

// Reading touches nothing: any header will do.
static bool check_capture(const struct rule_action *a, char *fault)
{
	if (!a->request_uri && (!is_token(a->header.name) || a->header.name.len > 64))
		return wrong(fault, "'" SLICE_FMT "' is no header name", SLICE_ARG(a->header.name));
	if (a->variable == 0 || a->variable > RULE_MAX_VARIABLES)
		return wrong(fault, "a variable is u01 to u%d", RULE_MAX_VARIABLES);
	return check_pattern_of(a, fault);
}

static bool check_change(const struct rule_action *a, uint32_t least, char *fault)
{
	if (a->change == RULE_SCALE && (a->number == 0 || a->number > 1000000))
		return wrong(fault, "scale is from 0.001 to 1000");
	if (a->change != RULE_SCALE && a->number < least)
		return wrong(fault, "%s takes at least %u", rule_action_key(a->kind), least);
	if (a->kind == RULE_DO_MIN_SE && a->change != RULE_SET && a->change != RULE_MAX)
		return wrong(fault, "min_se takes set or cap");
	if (a->kind == RULE_DO_EXPIRES && a->change == RULE_MIN)
		return wrong(fault, "session_expires takes set, cap or scale");
	return true;
}

static bool check_label(struct slice label, char *fault)
{
	static const char good[] = "0123456789_-.abcdefghijklmnopqrstuvwxyz";

	for (uint32_t i = 0; i < label.len; i++)
		if (memchr(good, slice_lower(label.p[i]), sizeof(good) - 1) == NULL)
			return wrong(fault, "tag is letters, digits, '_', '-' and '.'");
	return (label.len != 0 && label.len <= RULE_MAX_LABEL) ||
	       wrong(fault, "tag has 1 to %d bytes", RULE_MAX_LABEL);
}

static bool check_code(const struct rule_action *a, uint16_t least, char *fault)
{
	if (a->code < least || a->code > 699)
		return wrong(fault, "%s takes a code from %u to 699", rule_action_key(a->kind),
			     least);
	if (has_variable(a->text))
		return wrong(fault, "reason takes no variable: add, set, substitute and uri do");
	return check_value("reason", a->text, true, fault);
}

static bool check_move(const struct rule_action *a, char *fault)
{
	if (!is_option_list(a->header.id) || !is_option_list(a->to_header.id) ||
	    a->header.id == a->to_header.id)
		return wrong(fault, "move goes between Require and Supported");
	return check_tokens(&a->text, 1, fault);
}

bool rule_check_action(const struct rule_action *a, char fault[RULE_FAULT_MAX])
{
	switch ((enum rule_action_kind)a->kind) {
	case RULE_DO_DELETE:
		if (a->which == RULE_NTH && (a->nth == 0 || a->nth > SIP_MSG_MAX_FIELDS))
			return wrong(fault, "which is all, first or a number from 1 to %d",
				     SIP_MSG_MAX_FIELDS);
		if (a->match.p != NULL && !check_pattern_of(a, fault))
			return false;
		return check_header(&a->header, a, fault);
	case RULE_DO_ADD:
	case RULE_DO_SET:
		return check_header(&a->header, a, fault) &&
		       check_value("value", a->text, true, fault);
	case RULE_DO_SUBSTITUTE:
		return check_header(&a->header, a, fault) &&
		       check_value("with", a->text, true, fault) && check_pattern_of(a, fault);
	case RULE_DO_CAPTURE:
		return check_capture(a, fault);
	case RULE_DO_RENAME:
		return check_header(&a->header, a, fault) && check_header(&a->to_header, a, fault);
	case RULE_DO_OPTION:
		return check_option(a, fault);
	case RULE_DO_NUMBER:
		return check_header(&a->header, a, fault) && check_change(a, 0, fault);
	case RULE_DO_URI:
		return check_uri(a, fault);
	case RULE_DO_STATUS:
		return check_code(a, 101, fault);
	case RULE_DO_REJECT:
		return check_code(a, 300, fault);
	case RULE_DO_TAG:
		return check_label(a->text, fault);
	case RULE_DO_EXPIRES:
	case RULE_DO_MIN_SE:
		return check_change(a, 90, fault);
	case RULE_DO_MOVE:
		return check_move(a, fault);
	case RULE_DO_DROP:
	case RULE_DO_TRACE:
	case RULE_DO_STRIP_TIMER:
	case RULE_DO_REFRESHER:
	case RULE_DO_HIDE_UPDATE:
	case RULE_DO_DISARM:
	case RULE_DO_N:
		break;
	}
	return true;
}

// --- whole rules

static bool check_tree(const struct rule_cond *c, unsigned depth, uint32_t *left, uint32_t *line,
		       char *fault)
{
	if (*left == 0)
		return wrong(fault, "the condition has more than %d parts", RULE_MAX_CONDS);
	if (depth > RULE_MAX_DEPTH)
		return wrong(fault, "all, any and not stand more than %d deep", RULE_MAX_DEPTH);
	(*left)--;
	*line = c->line;
	if (!rule_check_cond(c, fault))
		return false;
	for (uint32_t i = 0; i < c->n_sub; i++)
		if (!check_tree(&c->sub[i], depth + 1, left, line, fault))
			return false;
	return true;
}

static bool does(const struct rule *r, enum rule_action_kind kind, uint32_t *line)
{
	for (uint32_t i = 0; i < r->n_actions; i++)
		if (r->actions[i].kind == kind) {
			*line = r->actions[i].line;
			return true;
		}
	return false;
}

// The bits that a key at the top of the condition leaves; all of them if it is not there.
static uint32_t top_bits(const struct rule *r, enum rule_cond_kind kind)
{
	uint32_t bits = UINT32_MAX;

	for (uint32_t i = 0; i < r->when.n_sub; i++)
		if (r->when.sub[i].kind == kind)
			bits &= r->when.sub[i].bits;
	return bits;
}

static bool has_top(const struct rule *r, enum rule_cond_kind kind)
{
	for (uint32_t i = 0; i < r->when.n_sub; i++)
		if (r->when.sub[i].kind == kind)
			return true;
	return false;
}

static bool check_reach(const struct rule *r, char *fault)
{
	uint32_t kinds = top_bits(r, RULE_COND_KIND);

	if (has_top(r, RULE_COND_CODE) && has_top(r, RULE_COND_METHOD))
		return wrong(fault, "code is of responses and method of requests: no message has "
				    "both; use transaction for the method of a response");
	if (has_top(r, RULE_COND_CODE) && (kinds & 1u << RULE_RESPONSE) == 0)
		return wrong(fault, "code is of responses: with kind: request it never holds");
	if (has_top(r, RULE_COND_METHOD) && (kinds & 1u << RULE_REQUEST) == 0)
		return wrong(fault, "method is of requests: with kind: response it never holds; "
				    "use transaction");
	if (top_bits(r, RULE_COND_DIRECTION) == 0 || kinds == 0 ||
	    top_bits(r, RULE_COND_METHOD) == 0 || top_bits(r, RULE_COND_TRANSACTION) == 0)
		return wrong(fault, "two parts of the condition exclude each other");
	return true;
}

// Actions of which a rule has one at most, since they leave nothing for the other.
static bool check_pairs(const struct rule *r, uint32_t *line, char *fault)
{
	static const uint8_t pairs[][2] = {
		{RULE_DO_REJECT, RULE_DO_DROP},		  {RULE_DO_STRIP_TIMER, RULE_DO_EXPIRES},
		{RULE_DO_STRIP_TIMER, RULE_DO_REFRESHER}, {RULE_DO_STRIP_TIMER, RULE_DO_MIN_SE},
		{RULE_DO_STRIP_TIMER, RULE_DO_DISARM},	  {RULE_DO_DISARM, RULE_DO_EXPIRES},
		{RULE_DO_DISARM, RULE_DO_REFRESHER},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (does(r, pairs[i][0], line) && does(r, pairs[i][1], line))
			return wrong(fault, "%s and %s contradict each other",
				     rule_action_key(pairs[i][0]), rule_action_key(pairs[i][1]));
	return true;
}

static bool check_kind(const struct rule *r, uint32_t *line, char *fault)
{
	bool response = (top_bits(r, RULE_COND_KIND) & 1u << RULE_REQUEST) == 0 ||
			has_top(r, RULE_COND_CODE);
	bool request = (top_bits(r, RULE_COND_KIND) & 1u << RULE_RESPONSE) == 0 ||
		       has_top(r, RULE_COND_METHOD);
	bool out = (top_bits(r, RULE_COND_DIRECTION) & 1u << RULE_IN) == 0;

	if (response && does(r, RULE_DO_REJECT, line))
		return wrong(fault, "reject answers requests, this rule is for responses: use "
				    "status");
	if (request && does(r, RULE_DO_STATUS, line))
		return wrong(fault, "status is of responses, this rule is for requests: use "
				    "reject");
	if (out && (does(r, RULE_DO_REJECT, line) || does(r, RULE_DO_DROP, line)))
		return wrong(fault, "reject and drop are for messages that arrive (in)");
	return true;
}

bool rule_check(const struct rule *r, uint32_t *line, char fault[RULE_FAULT_MAX])
{
	uint32_t left = RULE_MAX_CONDS;

	*line = r->line;
	if (!check_value("name", r->name, false, fault))
		return false;
	if (r->n_actions == 0 || r->n_actions > RULE_MAX_ACTIONS)
		return wrong(fault, "do takes 1 to %d actions", RULE_MAX_ACTIONS);
	if (!check_tree(&r->when, 0, &left, line, fault))
		return false;
	for (uint32_t i = 0; i < r->n_actions; i++) {
		*line = r->actions[i].line;
		if (!rule_check_action(&r->actions[i], fault))
			return false;
	}
	*line = r->line;
	return check_reach(r, fault) && check_pairs(r, line, fault) && check_kind(r, line, fault);
}
