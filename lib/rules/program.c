// SPDX-License-Identifier: BSD-3-Clause
// A book of rules becomes a program. Control thread: allocates.
#include "rules/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// --- what is collected while compiling

struct compiler {
	struct rules_program *p;
	struct rules_fault *fault;
	struct classify_header headers[CLASSIFY_HEADERS];
	uint8_t header_of_head[RULES_HEADERS]; // index in headers, or PROGRAM_NO_HEAD
	uint32_t n_headers;
	struct classify_pattern *patterns;
	uint32_t *lines; // of patterns
	uint32_t n_patterns, users;
	const struct rules_program *before; // or NULL
};

__attribute__((format(printf, 3, 4))) static int fault(struct compiler *c, uint32_t line,
						       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->fault->text, sizeof(c->fault->text), fmt, ap);
	va_end(ap);
	c->fault->line = line;
	return -EINVAL;
}

// --- headers and patterns

uint8_t program_head(const struct rules_program *p, const struct rule_header *h)
{
	for (uint32_t i = 0; i < p->n_heads; i++)
		if (p->heads[i].id == h->id &&
		    (h->id != SIP_H_OTHER || slice_eq_nocase(p->heads[i].name, h->name)))
			return (uint8_t)i;
	return PROGRAM_NO_HEAD;
}

static int take_head(struct compiler *c, const struct rule_header *h, uint32_t line, uint8_t *head)
{
	struct rules_program *p = c->p;

	*head = program_head(p, h);
	if (*head != PROGRAM_NO_HEAD)
		return 0;
	if (p->n_heads == RULES_HEADERS)
		return fault(c, line, "conditions look at more than %d different headers",
			     RULES_HEADERS);
	*head = (uint8_t)p->n_heads++;
	p->heads[*head] = *h;
	if (h->id == SIP_H_OTHER)
		p->by_name |= 1ull << *head;
	c->header_of_head[*head] = PROGRAM_NO_HEAD;
	return 0;
}

static uint8_t scanned(struct compiler *c, uint8_t head)
{
	uint8_t *at = &c->header_of_head[head];

	if (*at == PROGRAM_NO_HEAD) {
		*at = (uint8_t)c->n_headers;
		c->headers[c->n_headers++] =
			(struct classify_header){c->p->heads[head].name, c->p->heads[head].id};
	}
	return *at;
}

static int add_pattern(struct compiler *c, const struct rule_test *t, uint8_t head, uint16_t atom,
		       uint32_t line)
{
	if (c->n_patterns == CLASSIFY_PATTERNS)
		return fault(c, line, "rules compare more than %d texts", CLASSIFY_PATTERNS);
	c->lines[c->n_patterns] = line;
	c->patterns[c->n_patterns++] = (struct classify_pattern){
		.text = t->text,
		.id = atom,
		.header = scanned(c, head),
		.is_regex = t->kind == RULE_TEST_MATCHES,
		.any_case = !t->exact,
		.whole = t->kind == RULE_TEST_EQUALS,
	};
	return 0;
}

// Expressions that look at more than what lies between the line ends of a value there, or switch
// that off, cannot be told by the scan.
static bool is_scannable(struct slice regex, bool any_case)
{
	static const struct slice any = SLICE_LIT("(?:"), caseless = SLICE_LIT("(?i)");
	char why[RULE_FAULT_MAX];

	for (uint32_t i = 0; i + 1 < regex.len; i++) {
		uint8_t a = regex.p[i], b = regex.p[i + 1];

		if (a == '\\' && memchr("AzZGKRXC", b, 8) != NULL)
			return false;
		if (a == '(' && b == '*')
			return false;
		if (a == '(' && b == '?' && !slice_starts_with(slice_from(regex, i), any) &&
		    !slice_starts_with(slice_from(regex, i), caseless))
			return false;
		if (a == '\\')
			i++;
	}
	return classify_pattern_check(regex, any_case, why, sizeof(why)) == 0;
}

static int compile_regex(struct compiler *c, struct slice text, bool any_case, uint32_t line,
			 const struct regex **re)
{
	char why[RULE_FAULT_MAX - 64];
	struct regex *made;
	int rc = regex_compile(&made, text, any_case, why, sizeof(why));

	if (rc == -EINVAL)
		return fault(c, line, "the regular expression %s", why);
	if (rc != 0)
		return rc;
	c->p->regexes[c->p->n_regexes++] = made;
	*re = made;
	return 0;
}

static bool is_text_test(uint8_t kind)
{
	return kind == RULE_TEST_EQUALS || kind == RULE_TEST_CONTAINS || kind == RULE_TEST_MATCHES;
}

static int compile_test(struct compiler *c, struct node *n)
{
	static const struct rule_header agents[2] = {{SLICE_NONE, SIP_H_USER_AGENT},
						     {SLICE_NONE, SIP_H_SERVER}};
	const struct rule_test *t = &n->cond->test;
	bool agent = n->kind == RULE_COND_AGENT;
	const struct rule_header *heads = agent ? agents : &t->header;
	unsigned n_heads = agent ? 2 : 1;
	int rc = 0;

	for (unsigned i = 0; i < n_heads && rc == 0; i++)
		rc = take_head(c, &heads[i], n->cond->line, &n->head[i]);
	if (rc == 0 && t->kind == RULE_TEST_MATCHES)
		rc = compile_regex(c, t->text, !t->exact, n->cond->line, &n->regex);
	if (rc != 0 || !is_text_test(t->kind))
		return rc;
	if (t->kind == RULE_TEST_MATCHES && !is_scannable(t->text, !t->exact))
		return 0;
	n->atom = (uint16_t)c->p->n_atoms++;
	for (unsigned i = 0; i < n_heads && rc == 0; i++)
		rc = add_pattern(c, t, n->head[i], n->atom, n->cond->line);
	return rc;
}

// --- trees

static uint32_t count_nodes(const struct rule_cond *c)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < c->n_sub; i++)
		n += count_nodes(&c->sub[i]);
	return n;
}

static int compile_node(struct compiler *c, uint16_t at, const struct rule_cond *cond)
{
	struct rules_program *p = c->p;
	struct node *n = &p->nodes[at];
	int rc = 0;

	*n = (struct node){.cond = cond,
			   .kind = cond->kind,
			   .atom = PROGRAM_NO_ATOM,
			   .head = {PROGRAM_NO_HEAD, PROGRAM_NO_HEAD},
			   .first = (uint16_t)p->n_nodes,
			   .n = (uint16_t)cond->n_sub};
	p->n_nodes += cond->n_sub;
	if (cond->kind == RULE_COND_HEADER || cond->kind == RULE_COND_AGENT)
		rc = compile_test(c, n);
	for (uint32_t i = 0; i < cond->n_sub && rc == 0; i++)
		rc = compile_node(c, (uint16_t)(n->first + i), &cond->sub[i]);
	return rc;
}

static uint64_t heads_of(const struct rules_program *p, const struct node *n)
{
	uint64_t heads = 0;

	for (unsigned i = 0; i < 2; i++)
		if (n->head[i] != PROGRAM_NO_HEAD)
			heads |= 1ull << n->head[i];
	for (uint32_t i = 0; i < n->n; i++)
		heads |= heads_of(p, &p->nodes[n->first + i]);
	return heads;
}

// Of the conditions in n: KNOWN_NO decides ALL and NOT, KNOWN_YES decides ANY.
static enum known known_of_inner(const struct rules_program *p, const struct node *n,
				 enum rule_direction direction, unsigned bucket, enum known decides)
{
	enum known known = decides == KNOWN_NO ? KNOWN_YES : KNOWN_NO;

	for (uint32_t i = 0; i < n->n && known != decides; i++) {
		enum known k = program_known(p, &p->nodes[n->first + i], direction, bucket);

		if (k == decides || k == KNOWN_MAYBE)
			known = k;
	}
	return known;
}

enum known program_known(const struct rules_program *p, const struct node *n,
			 enum rule_direction direction, unsigned bucket)
{
	const struct rule_cond *c = n->cond;
	bool request = bucket < SIP_METHOD_N;
	unsigned class = request ? 0 : bucket - SIP_METHOD_N + 1;
	enum known all;

	switch ((enum rule_cond_kind)n->kind) {
	case RULE_COND_ALL:
		return known_of_inner(p, n, direction, bucket, KNOWN_NO);
	case RULE_COND_ANY:
		return known_of_inner(p, n, direction, bucket, KNOWN_YES);
	case RULE_COND_NOT:
		all = known_of_inner(p, n, direction, bucket, KNOWN_NO);
		return all == KNOWN_MAYBE ? all : all == KNOWN_YES ? KNOWN_NO : KNOWN_YES;
	case RULE_COND_DIRECTION:
		return (c->bits >> direction & 1) != 0 ? KNOWN_YES : KNOWN_NO;
	case RULE_COND_KIND:
		return (c->bits >> (request ? RULE_REQUEST : RULE_RESPONSE) & 1) != 0 ? KNOWN_YES
										      : KNOWN_NO;
	case RULE_COND_METHOD:
		return request && (c->bits >> bucket & 1) != 0 ? KNOWN_YES : KNOWN_NO;
	case RULE_COND_TRANSACTION:
		return !request ? KNOWN_MAYBE : (c->bits >> bucket & 1) != 0 ? KNOWN_YES : KNOWN_NO;
	case RULE_COND_CODE:
		for (uint32_t i = 0; i < c->n_codes; i++)
			if (!request && c->codes[i].from / 100 <= class &&
			    class <= c->codes[i].to / 100u)
				return KNOWN_MAYBE;
		return KNOWN_NO;
	case RULE_COND_DIALOG:
	case RULE_COND_INGRESS:
	case RULE_COND_EGRESS:
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
	case RULE_COND_BODY:
	case RULE_COND_N:
		break;
	}
	return KNOWN_MAYBE;
}

// --- guards

struct guards {
	uint32_t n;
	uint16_t at[PROGRAM_GUARDS];
};

static void guards_add(struct guards *g, uint16_t guard)
{
	if (g->n < PROGRAM_GUARDS)
		g->at[g->n++] = guard;
}

static bool guards_of_test(const struct node *n, struct guards *g)
{
	if (n->cond->test.kind == RULE_TEST_ABSENT)
		return false;
	if (n->atom != PROGRAM_NO_ATOM) {
		guards_add(g, n->atom);
		return true;
	}
	for (unsigned i = 0; i < 2; i++)
		if (n->head[i] != PROGRAM_NO_HEAD)
			guards_add(g, GUARD_HEAD | n->head[i]);
	return true;
}

// What must be there for a node to hold; false: nothing in particular.
static bool guards_of(const struct rules_program *p, const struct node *n, struct guards *g)
{
	struct guards best = {0}, one;

	switch ((enum rule_cond_kind)n->kind) {
	case RULE_COND_HEADER:
	case RULE_COND_AGENT:
		return guards_of_test(n, g);
	case RULE_COND_ANY:
		for (uint32_t i = 0; i < n->n; i++)
			if (!guards_of(p, &p->nodes[n->first + i], g))
				return false;
		return n->n != 0 && g->n < PROGRAM_GUARDS;
	case RULE_COND_ALL:
		for (uint32_t i = 0; i < n->n; i++) {
			one.n = 0;
			if (guards_of(p, &p->nodes[n->first + i], &one) && one.n != 0 &&
			    (best.n == 0 || one.n < best.n ||
			     (one.n == best.n && (best.at[0] & GUARD_HEAD) != 0)))
				best = one;
		}
		for (uint32_t i = 0; i < best.n; i++)
			guards_add(g, best.at[i]);
		return best.n != 0 && g->n < PROGRAM_GUARDS;
	default:
		return false;
	}
}

// --- a rule

// The tally of the rule of this name in `before`, most often at the same number.
static struct tally *tally_before(const struct rules_program *before, const struct rule *rule,
				  struct slice set, uint32_t number)
{
	for (uint32_t i = 0; i < before->n_rules; i++) {
		const struct code *code = &before->code[(number + i) % before->n_rules];

		if (slice_eq(code->rule->name, rule->name) &&
		    slice_eq(before->book->sets[code->set].name, set))
			return code->tally;
	}
	return NULL;
}

static struct tally *take_tally(const struct compiler *c, const struct rule *rule, uint16_t set)
{
	size_t size = sizeof(struct tally) + c->users * sizeof(((struct tally *)NULL)->of[0]);
	struct tally *t = NULL;

	if (c->before != NULL && c->before->n_users == c->users)
		t = tally_before(c->before, rule, c->p->book->sets[set].name, c->p->n_rules);
	if (t == NULL) {
		t = aligned_alloc(alignof(struct tally), size);
		if (t == NULL)
			return NULL;
		memset(t, 0, size);
	}
	t->refs++;
	return t;
}

static void tally_put(struct tally *t)
{
	if (t != NULL && --t->refs == 0)
		free(t);
}

static int take_label(struct compiler *c, const struct rule_action *a, uint64_t *labels)
{
	struct rules_program *p = c->p;
	uint32_t i = 0;

	while (i < p->n_labels && !slice_eq(rules_label(p, i), a->text))
		i++;
	if (i == RULES_LABELS || a->text.len > RULE_MAX_LABEL)
		return fault(c, a->line, "more than %d different tags since verge started",
			     RULES_LABELS);
	if (i == p->n_labels) {
		memcpy(p->labels[i], a->text.p, a->text.len);
		p->label_len[i] = (uint8_t)a->text.len;
		p->n_labels++;
	}
	*labels |= 1ull << i;
	return 0;
}

static int compile_rule(struct compiler *c, const struct rule *rule, uint16_t set)
{
	struct rules_program *p = c->p;
	struct code *code = &p->code[p->n_rules];
	struct guards g = {0};
	const struct regex *unused;
	int rc;

	*code = (struct code){.rule = rule,
			      .tally = take_tally(c, rule, set),
			      .set = set,
			      .root = (uint16_t)p->n_nodes++};
	p->n_rules++;
	if (code->tally == NULL)
		return -ENOMEM;
	if (!rule_check(rule, &c->fault->line, c->fault->text))
		return -EINVAL;
	rc = compile_node(c, code->root, &rule->when);
	if (rc != 0)
		return rc;
	code->heads = heads_of(p, &p->nodes[code->root]);
	code->regex = p->n_regexes;
	for (uint32_t i = 0; i < rule->n_actions && rc == 0; i++) {
		const struct rule_action *a = &rule->actions[i];

		if (a->match.p != NULL)
			rc = compile_regex(c, a->match, a->any_case, a->line, &unused);
		else
			p->regexes[p->n_regexes++] = NULL;
		if (rc == 0 && a->kind == RULE_DO_TAG)
			rc = take_label(c, a, &code->labels);
	}
	if (rc != 0 || !guards_of(p, &p->nodes[code->root], &g))
		return rc;
	code->first_guard = p->n_guards;
	code->n_guards = (uint16_t)g.n;
	memcpy(p->guards + p->n_guards, g.at, g.n * sizeof(g.at[0]));
	p->n_guards += g.n;
	return 0;
}

// Rules by guard.
static void list_guarded(struct rules_program *p)
{
	uint32_t many = p->n_atoms + p->n_heads;
	uint32_t *by = p->by_guard;

	for (uint32_t i = 0; i < p->n_guards; i++)
		by[program_guard(p, p->guards[i]) + 1]++;
	for (uint32_t i = 0; i < many; i++)
		by[i + 1] += by[i];
	for (uint32_t i = 0; i < p->n_rules; i++)
		for (uint32_t k = 0; k < p->code[i].n_guards; k++) {
			uint16_t g = p->guards[p->code[i].first_guard + k];

			p->guarded[by[program_guard(p, g)]++] = (uint16_t)i;
		}
	for (uint32_t i = many; i > 0; i--) // each begin has moved to its end
		by[i] = by[i - 1];
	by[0] = 0;
}

// --- chains

static bool chain_is(const struct chain *chain, const struct rule_chain *sets,
		     enum rule_direction direction)
{
	return chain->direction == direction && chain->sets.n == sets->n &&
	       memcmp(chain->sets.sets, sets->sets, sets->n * sizeof(sets->sets[0])) == 0;
}

static void chain_fill(const struct rules_program *p, struct chain *chain)
{
	memset(chain->place, 0xff, p->n_rules * sizeof(chain->place[0]));
	for (uint32_t s = 0; s < chain->sets.n; s++)
		for (uint32_t i = 0; i < p->n_rules; i++)
			if (p->code[i].set == chain->sets.sets[s] &&
			    chain->place[i] == PROGRAM_NO_PLACE) {
				chain->place[i] = (uint16_t)chain->n;
				chain->rules[chain->n++] = (uint16_t)i;
			}
	chain->words = (chain->n + 63) / 64;
	for (unsigned b = 0; b < PROGRAM_BUCKETS; b++)
		for (uint32_t k = 0; k < chain->n; k++) {
			const struct code *code = &p->code[chain->rules[k]];

			if (code->n_guards == 0 && program_known(p, &p->nodes[code->root],
								 chain->direction, b) != KNOWN_NO)
				chain->always[b * chain->words + k / 64] |= 1ull << k % 64;
		}
}

static int chain_make(struct rules_program *p, const struct rule_chain *sets,
		      enum rule_direction direction, uint16_t *number)
{
	struct chain *chain = p->chains;
	uint32_t words = p->n_rules / 64 + 1;

	for (uint32_t i = 0; i < sets->n; i++)
		if (sets->sets[i] >= p->book->n_sets)
			return -EINVAL;
	while (chain < p->chains + p->n_chains && !chain_is(chain, sets, direction))
		chain++;
	*number = (uint16_t)(chain - p->chains + 1);
	if (chain < p->chains + p->n_chains)
		return 0;
	p->n_chains++;
	chain->sets = *sets;
	chain->direction = (uint8_t)direction;
	chain->rules = calloc(p->n_rules + 1, sizeof(*chain->rules));
	chain->place = calloc(p->n_rules + 1, sizeof(*chain->place));
	chain->always = calloc((size_t)PROGRAM_BUCKETS * words, sizeof(*chain->always));
	if (chain->rules == NULL || chain->place == NULL || chain->always == NULL)
		return -ENOMEM;
	chain_fill(p, chain);
	if (chain->n == 0)
		*number = 0;
	return 0;
}

static int make_chains(struct rules_program *p)
{
	int rc = 0;

	for (uint32_t t = 0; t < p->book->n_trunks && rc == 0; t++)
		for (unsigned d = 0; d < 2 && rc == 0; d++)
			if (p->book->trunks[t].chain[d].n != 0)
				rc = chain_make(p, &p->book->trunks[t].chain[d],
						(enum rule_direction)d, &p->of_trunk[t][d]);
	return rc;
}

// --- all of it

static int make_users(struct rules_program *p, uint32_t users)
{
	for (uint32_t i = 0; i < users; i++) {
		struct user *u = aligned_alloc(64, sizeof(*u));

		if (u == NULL)
			return -ENOMEM;
		memset(u, 0, sizeof(*u));
		u->number = p->n_users;
		p->users[p->n_users++] = u;
		u->regex = regex_scratch_make();
		if (u->regex == NULL || classify_scratch_make(&u->scratch, p->db) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int make_tables(struct rules_program *p, uint32_t users)
{
	const struct rule_book *book = p->book;
	size_t rules = 1, nodes = 1, actions = 0;

	for (uint32_t s = 0; s < book->n_sets; s++)
		for (uint32_t i = 0; i < book->sets[s].n_rules; i++) {
			rules++;
			nodes += count_nodes(&book->sets[s].rules[i].when);
			actions += book->sets[s].rules[i].n_actions;
		}
	if (rules > RULE_MAX_RULES + 1 || nodes > UINT16_MAX)
		return -E2BIG;
	p->code = calloc(rules, sizeof(*p->code));
	p->nodes = calloc(nodes, sizeof(*p->nodes));
	p->regexes = calloc(nodes + actions, sizeof(*p->regexes));
	p->guards = calloc(rules * PROGRAM_GUARDS, sizeof(*p->guards));
	p->guarded = calloc(rules * PROGRAM_GUARDS, sizeof(*p->guarded));
	p->by_guard = calloc(nodes + RULES_HEADERS + 2, sizeof(*p->by_guard));
	p->chains = calloc(2 * (size_t)book->n_trunks + 1, sizeof(*p->chains));
	p->of_trunk = calloc((size_t)book->n_trunks + 1, sizeof(*p->of_trunk));
	p->users = calloc(users + 1, sizeof(*p->users));
	return p->code != NULL && p->nodes != NULL && p->regexes != NULL && p->guards != NULL &&
			       p->guarded != NULL && p->by_guard != NULL && p->chains != NULL &&
			       p->of_trunk != NULL && p->users != NULL
		       ? 0
		       : -ENOMEM;
}

static int compile_rules(struct compiler *c)
{
	const struct rule_book *book = c->p->book;
	int rc = 0;

	for (uint32_t s = 0; s < book->n_sets && rc == 0; s++)
		for (uint32_t i = 0; i < book->sets[s].n_rules && rc == 0; i++)
			rc = compile_rule(c, &book->sets[s].rules[i], (uint16_t)s);
	return rc;
}

static int compile_patterns(struct compiler *c)
{
	const struct classify_rules rules = {c->headers, c->patterns, c->n_headers, c->n_patterns};
	uint32_t bad = 0;
	int rc = classify_db_compile(&c->p->db, &rules, &bad);

	if (rc == -EINVAL)
		return fault(c, bad < c->n_patterns ? c->lines[bad] : 0,
			     "Hyperscan refuses the pattern, or all patterns together are too "
			     "large for it");
	return rc;
}

static int compile_all(struct compiler *c, uint32_t users)
{
	struct rules_program *p = c->p;
	int rc = make_tables(p, users);

	if (rc == -E2BIG)
		return fault(c, 0, "more than %d rules, or %d parts of conditions", RULE_MAX_RULES,
			     UINT16_MAX);
	if (rc == 0)
		rc = compile_rules(c);
	if (rc == 0)
		rc = compile_patterns(c);
	if (rc == 0) {
		list_guarded(p);
		rc = make_chains(p);
	}
	return rc == 0 ? make_users(p, users) : rc;
}

int rules_compile(struct rules_program **out, const struct rule_book *book, uint32_t users,
		  const struct rules_program *before, struct rules_fault *fault)
{
	struct rules_program *p = calloc(1, sizeof(*p));
	struct compiler c = {.p = p, .fault = fault, .users = users, .before = before};
	int rc = -ENOMEM;

	*out = NULL;
	*fault = (struct rules_fault){0};
	c.patterns = calloc(CLASSIFY_PATTERNS, sizeof(*c.patterns));
	c.lines = calloc(CLASSIFY_PATTERNS, sizeof(*c.lines));
	if (p != NULL && c.patterns != NULL && c.lines != NULL) {
		p->book = book;
		if (before != NULL) {
			p->n_labels = before->n_labels;
			memcpy(p->labels, before->labels, sizeof(p->labels));
			memcpy(p->label_len, before->label_len, sizeof(p->label_len));
		}
		rc = compile_all(&c, users);
	}
	free(c.patterns);
	free(c.lines);
	if (rc != 0) {
		if (rc != -EINVAL)
			snprintf(fault->text, sizeof(fault->text), "%s",
				 rc == -ENOTSUP ? "this CPU cannot run Hyperscan (SSSE3)"
						: "no memory for the rules");
		rules_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void rules_free(struct rules_program *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->n_users; i++) {
		classify_scratch_free(p->users[i]->scratch);
		regex_scratch_free(p->users[i]->regex);
		free(p->users[i]);
	}
	for (uint32_t i = 0; i < p->n_chains; i++) {
		free(p->chains[i].rules);
		free(p->chains[i].place);
		free(p->chains[i].always);
	}
	for (uint32_t i = 0; i < p->n_rules; i++)
		tally_put(p->code[i].tally);
	for (uint32_t i = 0; i < p->n_regexes; i++)
		regex_free(p->regexes[i]);
	classify_db_free(p->db);
	free(p->code);
	free(p->nodes);
	free(p->regexes);
	free(p->guards);
	free(p->guarded);
	free(p->by_guard);
	free(p->chains);
	free(p->of_trunk);
	free(p->users);
	free(p);
}
