// SPDX-License-Identifier: BSD-3-Clause
// The two charts: 60 bars of stacked parts as inline SVG. The picture stretches; its words are HTML
// beside it, so that they stay readable on a phone.
#include "control/page_part.h"

#define BARS   60
#define WIDTH  10  // of a bar with its gap
#define HEIGHT 120 // of the picture

struct chart {
	const char *title, *about;
	const char *classes[3], *keys[3]; // from the bottom up; NULL: no such part
	const char *from, *half, *to;	  // words of the axis
	uint64_t bars[BARS][3];
	bool past; // the minutes lead up to now; else they begin with it
};

static uint64_t highest(const struct chart *c)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < BARS; i++) {
		uint64_t sum = c->bars[i][0] + c->bars[i][1] + c->bars[i][2];

		most = sum > most ? sum : most;
	}
	return most;
}

static void put_bar(struct page *p, const struct chart *c, unsigned i, uint64_t most)
{
	double y = HEIGHT;

	if (c->bars[i][0] + c->bars[i][1] + c->bars[i][2] == 0)
		return;
	body_put_lit(&p->body, "<g><title>");
	if (c->past)
		body_printf(&p->body, "%u min ago", BARS - 1 - i);
	else
		body_printf(&p->body, "in %u min", i);
	for (unsigned k = 0; k < 3; k++)
		if (c->keys[k] != NULL)
			body_printf(&p->body, ", %s %llu", c->keys[k],
				    (unsigned long long)c->bars[i][k]);
	body_put_lit(&p->body, "</title>");
	for (unsigned k = 0; k < 3; k++) {
		double height = (double)c->bars[i][k] * (HEIGHT - 4) / (double)most;

		if (c->bars[i][k] == 0)
			continue;
		height = height < 1.5 ? 1.5 : height; // little is not nothing
		y -= height;
		body_printf(&p->body,
			    "<rect class=\"%s\" x=\"%u\" y=\"%.1f\" width=\"%u\" height=\"%.1f\"/>",
			    c->classes[k], i * WIDTH + 1, y < 0 ? 0 : y, WIDTH - 2, height);
	}
	body_put_lit(&p->body, "</g>");
}

static void put_chart(struct page *p, const struct chart *c)
{
	uint64_t most = highest(c);

	body_printf(&p->body, "<section class=\"chart\"><h2>%s<small>", c->title);
	if (most != 0) {
		body_put_lit(&p->body, "peak ");
		page_put_count(p, most);
		body_put_lit(&p->body, " a minute");
	} else {
		body_put_lit(&p->body, "nothing");
	}
	body_put_lit(&p->body, "</small></h2><p class=\"key\">");
	for (unsigned k = 0; k < 3; k++)
		if (c->keys[k] != NULL)
			body_printf(&p->body, "<span><i class=\"%s\"></i>%s</span>", c->classes[k],
				    c->keys[k]);
	body_printf(&p->body,
		    "</p><svg viewBox=\"0 0 %u %u\" preserveAspectRatio=\"none\" role=\"img\" "
		    "aria-label=\"%s\">",
		    BARS * WIDTH, HEIGHT, c->about);
	for (unsigned i = 1; i <= 4; i++)
		body_printf(&p->body,
			    "<line class=\"grid\" x1=\"0\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/>",
			    BARS * WIDTH, HEIGHT * i / 4 - (i == 4), HEIGHT * i / 4 - (i == 4));
	for (unsigned i = 0; i < BARS && most != 0; i++)
		put_bar(p, c, i, most);
	body_printf(&p->body,
		    "</svg><p class=\"axis\"><span>%s</span><span>%s</span><span>%s</span></p>"
		    "</section>",
		    c->from, c->half, c->to);
}

static void put_past(struct page *p)
{
	struct chart c = {
		.title = "Refreshes of the last hour",
		.about = "Session refreshes of the last hour by the minute",
		.classes = {"local", "remote", "failed"},
		.keys = {"sent by verge", "answered by verge", "failed"},
		.from = "60 min ago",
		.half = "30 min ago",
		.to = "now",
		.past = true,
	};

	for (unsigned i = 0; i < BARS; i++) {
		const struct history_totals *t = history_minute(p->history, BARS - 1 - i);

		if (t == NULL)
			continue;
		c.bars[i][0] = t->sent;
		c.bars[i][1] = t->received;
		c.bars[i][2] = t->failed;
	}
	put_chart(p, &c);
}

static void put_future(struct page *p)
{
	const struct control_view *v = p->view;
	struct control_due due;
	struct chart c = {
		.title = "Timers due in the next hour",
		.about = "Refreshes that will be due in the next hour, by the minute",
		.classes = {"local", "remote"},
		.keys = {"verge will refresh", "the peer should"},
		.from = "now",
		.half = "in 30 min",
		.to = "in 60 min",
	};

	control_due(v->core, v->now(v->ctx), &due);
	for (unsigned i = 0; i < BARS; i++) {
		c.bars[i][0] = due.local[i];
		c.bars[i][1] = due.remote[i];
	}
	put_chart(p, &c);
}

void page_put_charts(struct page *p)
{
	// NOLINTNEXTLINE(misc-redundant-expression): three names that have to agree
	_Static_assert(BARS == HISTORY_MINUTES && BARS == CONTROL_DUE_MINUTES, "a bar a minute");
	body_put_lit(&p->body, "<div class=\"charts\">");
	put_past(p);
	put_future(p);
	body_put_lit(&p->body, "</div>");
}
