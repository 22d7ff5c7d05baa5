// SPDX-License-Identifier: BSD-3-Clause
// The tables of the page. What is not ours (trunk names, Call-IDs) is escaped.
#include "control/commands.h"
#include "control/page_part.h"
#include "control/trunk_facts.h"
#include "session_timer/session_timer.h"

#define TRUNKS_A_STEP 16

static void put_text(struct page *p, const char *text)
{
	body_put_html(&p->body, slice_of_str(text != NULL ? text : "-"));
}

// A cell; `as` stands beside it on a phone.
static void begin_cell(struct page *p, const char *class, const char *as)
{
	body_printf(&p->body, "<td class=\"%s\" data-as=\"%s\">", class, as);
}

static void put_count_cell(struct page *p, const char *as, uint64_t n)
{
	begin_cell(p, "n", as);
	page_put_count(p, n);
	body_put_lit(&p->body, "</td>");
}

// class "n": numbers, at the right
struct column {
	const char *class, *title;
};

static void begin_table(struct page *p, const struct column *columns, unsigned n)
{
	body_put_lit(&p->body, "<table><thead><tr>");
	for (unsigned i = 0; i < n; i++)
		body_printf(&p->body, "<th class=\"%s\" scope=\"col\">%s</th>", columns[i].class,
			    columns[i].title);
	body_put_lit(&p->body, "</tr></thead><tbody>");
}

#define COLUMNS(columns) columns, sizeof(columns) / sizeof((columns)[0])

static void put_risk(struct page *p, const struct control_risk *r)
{
	const struct control_view *v = p->view;
	tick_t now = v->now(v->ctx);
	uint64_t left_s = r->deadline_tk > now ? (r->deadline_tk - now) / TICK_S(1) : 0;

	body_put_lit(&p->body, "<tr>");
	begin_cell(p, "id head", "Call-ID");
	body_put_html(&p->body, slice_of(r->call_id, r->call_id_len));
	body_put_lit(&p->body, "</td>");
	begin_cell(p, "", "Trunk");
	put_text(p, commands_trunk_name(v, r->trunk));
	body_put_lit(&p->body, "</td>");
	begin_cell(p, "", "Leg");
	put_text(p, r->side == SIDE_A ? "ingress" : "egress");
	body_put_lit(&p->body, "</td>");
	begin_cell(p, "", "Who should refresh");
	put_text(p, r->role == ST_ROLE_LOCAL ? "verge" : "the peer");
	body_put_lit(&p->body, "</td>");
	begin_cell(p, "n", "Interval");
	page_put_duration(p, r->se_s);
	body_put_lit(&p->body, "</td>");
	begin_cell(p, left_s <= 60 ? "n bad-text" : "n warn-text", "Ends in");
	page_put_duration(p, left_s);
	body_put_lit(&p->body, "</td></tr>");
}

void page_put_risks(struct page *p)
{
	static const struct column columns[] = {
		{"", "Call-ID"},   {"", "Trunk"},    {"", "Leg"}, {"", "Who should refresh"},
		{"n", "Interval"}, {"n", "Ends in"},
	};
	const struct control_risk *list;
	unsigned n = control_risks(p->view->core, &list);

	body_put_lit(&p->body, "<section id=\"risks\"><h2>Calls at risk<small>refresh overdue, the "
			       "next to end first</small></h2>");
	if (n == 0) {
		body_put_lit(&p->body, "<p class=\"none\">None: no refresh is overdue.</p>");
	} else {
		begin_table(p, COLUMNS(columns));
		for (unsigned i = 0; i < n && i < PAGE_RISKS_MAX; i++)
			put_risk(p, &list[i]);
		body_put_lit(&p->body, "</tbody></table>");
		if (n > PAGE_RISKS_MAX)
			body_put_lit(&p->body, "<p class=\"none\">and more: <code>vergectl calls "
					       "--at-risk 1800</code></p>");
	}
	body_put_lit(&p->body, "</section>");
}

// What a trunk's row says at its left: 0 fine, 1 look at it, 2 down.
static unsigned trouble_of(struct page *p, unsigned trunk)
{
	const struct control_view *v = p->view;
	unsigned peers = control_config(v->core)->trunks[trunk].peers.n;
	unsigned up = commands_peers_up(v, trunk);
	const struct trunk_facts *f = control_facts(v->core, trunk);
	uint64_t counts[CONTROL_AT_RISK_N];

	control_at_risk(v->core, trunk, v->now(v->ctx), counts);
	if (up == 0 && peers != 0)
		return 2;
	return up < peers || (f != NULL && f->quarantined) || counts[3] != 0;
}

static void put_learned(struct page *p, unsigned trunk)
{
	static const char *const classes[] = {
		[FACT_SUPPORTED] = "good", [FACT_PARTIAL] = "warn", [FACT_UNSUPPORTED] = "bad"};
	static const char *const marks[] = {
		[FACT_SUPPORTED] = "yes", [FACT_PARTIAL] = "partly", [FACT_UNSUPPORTED] = "no"};
	const struct trunk_facts *f = control_facts(p->view->core, trunk);
	bool any = false;

	begin_cell(p, "", "Learned");
	body_put_lit(&p->body, "<span>");
	for (unsigned i = 0; i < FACT_N && f != NULL; i++) {
		unsigned state = f->all.facts[i].state;

		if (state == FACT_UNKNOWN)
			continue;
		body_printf(&p->body, "<span class=\"chip %s\" title=\"", classes[state]);
		put_text(p, trunk_facts_help((enum fact_id)i));
		body_printf(&p->body, "\">%s: %s</span>", trunk_facts_word((enum fact_id)i),
			    marks[state]);
		any = true;
	}
	if (f != NULL && f->min_se_s != 0)
		body_printf(&p->body, "<span class=\"chip\">Min-SE %u</span>", f->min_se_s);
	else if (!any)
		body_put_lit(&p->body, "-");
	body_put_lit(&p->body, "</span></td>");
}

static void put_trunk(struct page *p, unsigned trunk, unsigned trouble)
{
	static const char *const dots[] = {"", "warn", "bad"};
	const struct control_view *v = p->view;
	const struct config_trunk *t = &control_config(v->core)->trunks[trunk];
	struct body *b = &p->body;
	struct trunk_stats s;

	commands_sum_trunk(v, trunk, &s);
	body_put_lit(b, "<tr>");
	begin_cell(p, "head", "Trunk");
	body_printf(b, "<span class=\"dot %s\"></span>", dots[trouble]);
	put_text(p, t->name);
	body_put_lit(b, "</td>");
	begin_cell(p, trouble == 2 ? "bad-text" : "", "Peers up");
	body_printf(b, "%u of %u</td>", commands_peers_up(v, trunk), t->peers.n);
	begin_cell(p, "n", "Calls");
	page_put_count(p, commands_calls_now(v, trunk));
	body_put_lit(b, "</td>");
	begin_cell(p, "", "Timers");
	put_text(p, commands_timers_word(v, trunk));
	body_put_lit(b, "</td>");
	put_learned(p, trunk);
	put_count_cell(p, "Refreshed",
		       s.refreshes_update_sent_ok + s.refreshes_invite_sent_ok +
			       s.refreshes_update_received_ok + s.refreshes_invite_received_ok);
	put_count_cell(p, "Failed",
		       s.refreshes_update_sent_failed + s.refreshes_invite_sent_failed +
			       s.refreshes_update_received_failed +
			       s.refreshes_invite_received_failed);
	put_count_cell(p, "Answered in", s.calls_in_answered);
	put_count_cell(p, "Answered out", s.calls_out_answered);
	body_put_lit(b, "</tr>");
}

static void begin_trunks(struct page *p)
{
	static const struct column columns[] = {
		{"", "Trunk"},	 {"", "Peers up"},     {"n", "Calls"},
		{"", "Timers"},	 {"", "Learned"},      {"n", "Refreshed"},
		{"n", "Failed"}, {"n", "Answered in"}, {"n", "Answered out"},
	};

	body_put_lit(&p->body, "<section id=\"trunks\"><h2>Trunks<small>what needs a look first"
			       "</small></h2>");
	begin_table(p, COLUMNS(columns));
}

// pass 0 writes the trunks that need a look, pass 1 the others.
bool page_put_trunks(struct page *p)
{
	const struct config *c = control_config(p->view->core);

	if (p->pass == 0 && p->trunk == 0)
		begin_trunks(p);
	for (unsigned i = 0; i < TRUNKS_A_STEP && p->trunk < c->n_trunks; i++, p->trunk++) {
		unsigned trouble = c->trunks[p->trunk].gone ? 0 : trouble_of(p, p->trunk);

		if (c->trunks[p->trunk].gone || (trouble != 0) == (p->pass != 0))
			continue;
		if (p->shown++ < PAGE_TRUNKS_MAX)
			put_trunk(p, p->trunk, trouble);
	}
	if (p->trunk < c->n_trunks)
		return false;
	p->trunk = 0;
	if (p->pass++ == 0)
		return false;
	body_put_lit(&p->body, "</tbody></table>");
	if (p->shown == 0)
		body_put_lit(&p->body, "<p class=\"none\">No trunk is configured.</p>");
	if (p->shown > PAGE_TRUNKS_MAX)
		body_printf(&p->body,
			    "<p class=\"none\">and %u more: <code>vergectl trunks</code></p>",
			    p->shown - PAGE_TRUNKS_MAX);
	body_put_lit(&p->body, "</section>");
	return true;
}

// The sentence of a cause without what only a single call can fill in: "{leg} " goes, and so does
// what stands in parentheses round a word to fill in.
static void put_meaning(struct page *p, const char *sentence)
{
	struct slice rest = slice_of_str(sentence);

	while (rest.len != 0) {
		int64_t open = slice_find(rest, '{'), round = slice_find(rest, '('), close;
		bool in_round = round >= 0 && round + 1 == open;

		if (open < 0)
			break;
		body_put_html(&p->body, slice_first(rest, (uint32_t)(in_round ? round - (round != 0)
									      : open)));
		close = slice_find(slice_from(rest, (uint32_t)open), in_round ? ')' : '}');
		if (close < 0)
			return;
		if (!in_round &&
		    !slice_starts_with(slice_from(rest, (uint32_t)open), SLICE_LIT("{leg}")))
			body_put_lit(&p->body, "...");
		rest = slice_from(rest, (uint32_t)(open + close) + 1);
		if (!in_round && rest.len != 0 && rest.p[0] == ' ' && close == 4)
			rest = slice_from(rest, 1);
	}
	body_put_html(&p->body, rest);
}

static unsigned put_causes_of(struct page *p, enum cause_class class)
{
	static const char *const dots[] = {[CAUSE_CLASS_DROP] = "bad",
					   [CAUSE_CLASS_ORDER] = "warn",
					   [CAUSE_CLASS_NORMAL] = ""};
	const struct history *h = p->history;
	unsigned n = 0;

	for (unsigned i = CAUSE_NONE + 1; i < CAUSE_N; i++) {
		enum cause cause = (enum cause)i;
		uint64_t all = h->before.causes[i] + h->minutes[h->newest].causes[i];

		if (cause_class(cause) != class || all == 0)
			continue;
		body_put_lit(&p->body, "<tr>");
		begin_cell(p, "head", "Cause");
		body_printf(&p->body, "<span class=\"dot %s\"></span>%s</td>",
			    class == CAUSE_CLASS_ATTEMPT ? "warn" : dots[class], cause_word(cause));
		begin_cell(p, "", "");
		put_meaning(p, cause_sentence(cause));
		body_put_lit(&p->body, "</td>");
		put_count_cell(p, "Last hour", p->hour.causes[i]);
		put_count_cell(p, "Since start", all);
		body_put_lit(&p->body, "</tr>");
		n++;
	}
	return n;
}

void page_put_causes(struct page *p)
{
	static const struct column columns[] = {
		{"", "Cause"}, {"", "Meaning"}, {"n", "Last hour"}, {"n", "Since start"}};
	unsigned n;

	body_put_lit(&p->body, "<section id=\"causes\"><h2>How calls ended<small>drops first"
			       "</small></h2>");
	begin_table(p, COLUMNS(columns));
	n = put_causes_of(p, CAUSE_CLASS_DROP);
	n += put_causes_of(p, CAUSE_CLASS_ORDER);
	n += put_causes_of(p, CAUSE_CLASS_ATTEMPT);
	n += put_causes_of(p, CAUSE_CLASS_NORMAL);
	body_put_lit(&p->body, "</tbody></table>");
	if (n == 0)
		body_put_lit(&p->body, "<p class=\"none\">No call has ended yet.</p>");
	body_put_lit(&p->body, "</section>");
}

void page_put_workers(struct page *p)
{
	static const struct column columns[] = {
		{"", "Worker"},	       {"n", "CPU"},	{"n", "Busy"},	   {"n", "Legs"},
		{"n", "Transactions"}, {"n", "Timers"}, {"n", "Messages"},
	};
	const struct control_view *v = p->view;

	body_put_lit(&p->body, "<section id=\"workers\"><h2>Workers</h2>");
	begin_table(p, COLUMNS(columns));
	for (unsigned i = 0; i < v->n_workers && i < HISTORY_WORKERS; i++) {
		const struct worker_stats *w = v->worker_stats[i];
		unsigned busy = p->history->loads[i].busy_pm;

		body_put_lit(&p->body, "<tr>");
		begin_cell(p, "head", "Worker");
		body_printf(&p->body, "worker %u</td>", i);
		put_count_cell(p, "CPU", v->worker_cpus[i]);
		begin_cell(p, busy >= 900 ? "n bad-text" : "n", "Busy");
		body_printf(&p->body, "%u.%u %%</td>", busy / 10, busy % 10);
		put_count_cell(p, "Legs", stat_read(&w->legs));
		put_count_cell(p, "Transactions",
			       stat_read(&w->server_transactions) +
				       stat_read(&w->client_transactions));
		put_count_cell(p, "Timers",
			       stat_read(&w->timers_session) + stat_read(&w->timers_transaction));
		put_count_cell(p, "Messages", stat_read(&w->messages));
		body_put_lit(&p->body, "</tr>");
	}
	body_put_lit(&p->body, "</tbody></table></section>");
}
