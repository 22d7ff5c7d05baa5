// SPDX-License-Identifier: BSD-3-Clause
// The page's frame: head, tiles, foot, and the order of its parts.
#include "control/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "control/page_files.h"
#include "control/page_part.h"

void page_put_count(struct page *p, uint64_t n)
{
	char text[32], digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i != 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	body_put(&p->body, text, at);
}

void page_put_duration(struct page *p, uint64_t seconds)
{
	if (seconds >= 86400)
		body_printf(&p->body, "%llu d ", (unsigned long long)(seconds / 86400));
	if (seconds >= 3600)
		body_printf(&p->body, "%llu h ", (unsigned long long)(seconds / 3600 % 24));
	if (seconds >= 60)
		body_printf(&p->body, "%llu min", (unsigned long long)(seconds / 60 % 60));
	if (seconds < 600 && seconds % 60 != 0)
		body_printf(&p->body, "%s%llu s", seconds >= 60 ? " " : "",
			    (unsigned long long)(seconds % 60));
	else if (seconds == 0)
		body_put_lit(&p->body, "0 s");
}

static void put_head(struct page *p)
{
	const struct control_view *v = p->view;
	const char *trouble = v->trouble(v->ctx);
	struct body *b = &p->body;

	body_put_lit(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
			"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
			"<title>verge</title><link rel=\"icon\" href=\"data:,\">");
	body_printf(b, "<style nonce=\"%s\">", p->nonce);
	body_put(b, page_css, strlen(page_css));
	body_put_lit(b, "</style><noscript><meta http-equiv=\"refresh\" content=\"10\">"
			"</noscript></head><body><header><h1>verge</h1><span class=\"about\">");
	body_printf(b, "<span class=\"dot%s\"></span>%s, version %s, up ",
		    trouble == NULL ? "" : " bad", trouble == NULL ? "running" : trouble,
		    VERGE_VERSION);
	page_put_duration(p, (v->now(v->ctx) - v->started_tk) / TICK_S(1));
	body_printf(b, ", configuration %u", control_config(v->core)->version);
	body_put_lit(b, "</span><span id=\"live\"></span></header><main>");
}

static void begin_tile(struct page *p, const char *class, const char *title)
{
	body_printf(&p->body, "<div class=\"tile %s\"><h2>%s</h2><strong>", class, title);
}

static void put_calls_tile(struct page *p)
{
	uint64_t max = control_config(p->view->core)->system.capacity.calls;
	bool much = p->sum.calls * 10 >= max * 9;

	begin_tile(p, much ? "bad" : "", "Calls");
	page_put_count(p, p->sum.calls);
	body_put_lit(&p->body, "</strong><p>of ");
	page_put_count(p, max);
	body_printf(&p->body,
		    "</p><meter min=\"0\" max=\"%llu\" high=\"%llu\" value=\"%llu\"></meter></div>",
		    (unsigned long long)max, (unsigned long long)(max * 9 / 10),
		    (unsigned long long)p->sum.calls);
}

static void put_legs_tile(struct page *p)
{
	begin_tile(p, "", "Legs established");
	page_put_count(p, p->legs[1]);
	body_put_lit(&p->body, "</strong><p>in setup ");
	page_put_count(p, p->legs[0]);
	body_put_lit(&p->body, ", ending ");
	page_put_count(p, p->legs[2]);
	body_put_lit(&p->body, "</p></div>");
}

static void put_refreshes_tile(struct page *p)
{
	const struct history_totals *h = &p->hour;
	uint64_t good = h->sent + h->received, all = good + h->failed;
	const char *class = h->failed == 0 ? "" : h->failed * 20 > all ? "bad" : "warn";

	begin_tile(p, class, "Refreshes, last hour");
	page_put_count(p, good);
	body_put_lit(&p->body, "</strong><p>");
	page_put_count(p, h->failed);
	body_put_lit(&p->body, " failed, ");
	page_put_count(p, h->expired);
	body_put_lit(&p->body, " timers ran out</p></div>");
}

static void put_risk_tile(struct page *p)
{
	begin_tile(p,
		   p->at_risk[2] != 0	? "bad"
		   : p->at_risk[3] != 0 ? "warn"
					: "",
		   "Legs at risk");
	page_put_count(p, p->at_risk[3]);
	body_put_lit(&p->body, "</strong><p>end within 5 min, ");
	page_put_count(p, p->at_risk[2]);
	body_put_lit(&p->body, " within 60 s, if no refresh succeeds</p></div>");
}

static void put_drops_tile(struct page *p)
{
	uint64_t drops = 0, ended = 0;

	for (unsigned i = 0; i < CAUSE_N; i++) {
		enum cause_class class = cause_class((enum cause)i);

		drops += class == CAUSE_CLASS_DROP ? p->hour.causes[i] : 0;
		ended += class != CAUSE_CLASS_ATTEMPT ? p->hour.causes[i] : 0;
	}
	begin_tile(p, drops == 0 ? "" : drops * 100 > ended ? "bad" : "warn", "Drops, last hour");
	page_put_count(p, drops);
	body_put_lit(&p->body, "</strong><p>of ");
	page_put_count(p, ended);
	body_put_lit(&p->body, " calls that ended</p></div>");
}

static void put_load_tile(struct page *p)
{
	unsigned most = 0;

	for (unsigned i = 0; i < p->view->n_workers && i < HISTORY_WORKERS; i++)
		if (p->history->loads[i].busy_pm > most)
			most = p->history->loads[i].busy_pm;
	begin_tile(p, most >= 900 ? "bad" : most >= 750 ? "warn" : "", "Busiest worker");
	body_printf(&p->body, "%u.%u %%</strong><p>of %u, in the last 5 s</p></div>", most / 10,
		    most % 10, p->view->n_workers);
}

static void put_tiles(struct page *p)
{
	body_put_lit(&p->body, "<div class=\"tiles\">");
	put_calls_tile(p);
	put_legs_tile(p);
	put_refreshes_tile(p);
	put_risk_tile(p);
	put_drops_tile(p);
	put_load_tile(p);
	body_put_lit(&p->body, "</div>");
}

static void put_foot(struct page *p)
{
	struct body *b = &p->body;

	body_put_lit(b, "</main><footer>For machines: <a href=\"/metrics\">/metrics</a>, "
			"<a href=\"/healthz\">/healthz</a>. For more: <code>vergectl why CALL-ID"
			"</code>, <code>vergectl trunk NAME report</code>.</footer>");
	body_printf(b, "<script nonce=\"%s\">", p->nonce);
	body_put(b, page_js, strlen(page_js));
	body_put_lit(b, "</script></body></html>\n");
}

static bool step(struct body *b)
{
	struct page *p = (struct page *)(void *)b;

	switch (p->part++) {
	case 0:
		put_head(p);
		put_tiles(p);
		page_put_charts(p);
		page_put_risks(p);
		return true;
	case 1:
		if (!page_put_trunks(p))
			p->part--;
		return true;
	case 2:
		page_put_causes(p);
		page_put_workers(p);
		put_foot(p);
		return true;
	default:
		return false;
	}
}

static void free_page(struct body *b)
{
	free(b);
}

static void read_now(struct page *p)
{
	const struct control_view *v = p->view;
	unsigned n = control_config(v->core)->n_trunks;
	tick_t now = v->now(v->ctx);

	commands_sum_workers(v, &p->sum);
	for (unsigned t = 0; t < n; t++) {
		uint64_t counts[CONTROL_AT_RISK_N];

		control_at_risk(v->core, t, now, counts);
		for (unsigned i = 0; i < CONTROL_AT_RISK_N; i++)
			p->at_risk[i] += counts[i];
		for (unsigned w = 0; w < v->n_workers; w++) {
			const struct trunk_stats *s = v->trunk_stats(v->ctx, w, t);

			for (unsigned i = 0; i < 3 && s != NULL; i++)
				p->legs[i] += stat_read(&s->value[TRUNK_STAT_legs_setup + i]);
		}
	}
	history_now(p->history, v);
	history_sum(p->history, &p->hour);
}

struct body *page_body_new(const struct control_view *view, struct history *history,
			   const char *nonce)
{
	struct page *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->body.step = step;
	p->body.free = free_page;
	p->view = view;
	p->history = history;
	snprintf(p->nonce, sizeof(p->nonce), "%s", nonce);
	read_now(p);
	return &p->body;
}
