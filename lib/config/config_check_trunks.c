// SPDX-License-Identifier: BSD-3-Clause
// Checks of the trunks and routes of a configuration.
// Control thread. Pairs of trunks are compared by sorting, so that 4,096 trunks with 256 sources
// each take no longer than reading them.
#include "config/config_check.h"

#include <stdlib.h>

#include "config/config_policy.h"
#include "config/config_text.h"

#define FAULT(l, field, otherwise, ...)                                                         \
	config_errors_add((l)->r.errors, false, config_read_line((l), (field), (otherwise)), 0, \
			  __VA_ARGS__)
#define WARN(l, field, otherwise, ...)                                                         \
	config_errors_add((l)->r.errors, true, config_read_line((l), (field), (otherwise)), 0, \
			  __VA_ARGS__)

// A claim of one trunk on an address (udp = 0) or on an address and UDP port.
struct claim {
	uint16_t port, trunk, udp;
	struct config_net net;
};

static int by_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int d = (x->port > y->port) - (x->port < y->port);

	if (d == 0)
		d = memcmp(&x->net, &y->net, sizeof(x->net));
	if (d == 0)
		d = (x->udp > y->udp) - (x->udp < y->udp);
	if (d == 0)
		d = (x->trunk > y->trunk) - (x->trunk < y->trunk);
	return d;
}

static void fault_claim(const struct config_loader *l, const struct claim *a, const struct claim *b)
{
	const struct config_trunk *first = &l->r.c->trunks[a->trunk];
	const struct config_trunk *second = &l->r.c->trunks[b->trunk];
	bool peer = b->udp != 0;
	char text[80];
	struct outbuf o = outbuf_of(text, sizeof(text) - 1);

	config_text_print_ip(&o, &b->net.ip);
	outbuf_put_char(&o, peer ? ':' : '/');
	outbuf_put_u64(&o, peer ? b->udp : b->net.len);
	text[o.len] = 0;
	if (first == second)
		FAULT(l, peer ? (const void *)&second->peers : &second->sources, second->line,
		      "trunks.%s.%s has %s twice; keep one", second->name,
		      peer ? "peers" : "sources", text);
	else
		FAULT(l, peer ? (const void *)&second->peers : &second->sources, second->line,
		      "trunks.%s.%s has %s, which trunks.%s (line %u) has too: calls from there "
		      "could "
		      "belong to either; keep it in one",
		      second->name, peer ? "peers" : "sources", text, first->name, first->line);
}

static void check_claims(const struct config_loader *l)
{
	const struct config *c = l->r.c;
	struct claim *claims;
	size_t n = 0, most = 1;

	for (uint32_t i = 0; i < c->n_trunks; i++)
		most += c->trunks[i].peers.n + c->trunks[i].sources.n;
	claims = calloc(most, sizeof(*claims));
	if (claims == NULL)
		return;
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		const struct config_trunk *t = &c->trunks[i];

		if (t->gone)
			continue;
		for (uint32_t j = 0; j < t->peers.n; j++) {
			const struct config_endpoint *e = &t->peers.list[j];

			claims[n++] = (struct claim){t->port, t->id, e->udp, {e->ip, 128}};
		}
		for (uint32_t j = 0; j < t->sources.n; j++)
			claims[n++] = (struct claim){t->port, t->id, 0, t->sources.list[j]};
	}
	qsort(claims, n, sizeof(*claims), by_claim);
	for (size_t i = 1; i < n; i++)
		if (claims[i - 1].port == claims[i].port && claims[i - 1].udp == claims[i].udp &&
		    memcmp(&claims[i - 1].net, &claims[i].net, sizeof(claims[i].net)) == 0)
			fault_claim(l, &claims[i - 1], &claims[i]);
	free(claims);
}

static void check_peers(const struct config_loader *l, const struct config_trunk *t)
{
	const struct config *c = l->r.c;
	const struct config_port *p = &c->ports[t->port];

	for (uint32_t i = 0; i < t->peers.n; i++) {
		const struct config_ip *ip = &t->peers.list[i].ip;
		char text[64];
		struct outbuf o = outbuf_of(text, sizeof(text) - 1);

		config_text_print_ip(&o, ip);
		text[o.len] = 0;
		if (config_port_address(p, ip->family) == NULL)
			FAULT(l, &t->peers, t->line,
			      "trunks.%s.peers has %s, but ports.%s has no IPv%u address; give it "
			      "one or "
			      "use another port",
			      t->name, text, p->name, ip->family);
		else if (config_port_next_hop(p, ip) == NULL)
			FAULT(l, &t->peers, t->line,
			      "trunks.%s.peers has %s, which is in no net of ports.%s, and that "
			      "port has "
			      "no gateway; give it one",
			      t->name, text, p->name);
		for (uint32_t j = 0; j < c->n_ports; j++)
			if (!c->ports[j].gone && config_port_is_own(&c->ports[j], ip))
				FAULT(l, &t->peers, t->line,
				      "trunks.%s.peers has %s, which is verge's own address on "
				      "ports.%s; "
				      "write the peer's",
				      t->name, text, c->ports[j].name);
	}
	for (uint32_t i = 0; i < t->sources.n; i++)
		if (t->sources.list[i].len == 0)
			WARN(l, &t->sources, t->line,
			     "trunks.%s.sources has a prefix of length 0: calls from everywhere "
			     "are taken",
			     t->name);
}

static void check_budget(const struct config_loader *l, const struct config_trunk *t)
{
	const struct config *c = l->r.c;
	bool own = t->timer.budget != c->profiles[t->profile].timer.budget;
	const void *key = own ? &t->timer.budget : &c->profiles[t->profile].timer.budget;
	uint64_t legs = t->limits.calls != 0 ? t->limits.calls : c->system.capacity.calls;
	uint64_t needed, worst;

	if (t->timer.budget == 0 || t->timer.mode == CONFIG_TIMER_MODE_OFF)
		return;
	needed = config_policy_refreshes(legs, &t->timer, t->timer.interval_s);
	worst = config_policy_refreshes(legs, &t->timer, t->timer.min_interval_s);
	if (t->timer.budget < needed)
		FAULT(l, key, t->line,
		      "session_timer.budget %u refreshes/s cannot keep %llu calls of trunks.%s "
		      "alive at an "
		      "interval of %u s; it needs %llu, or limits.calls %llu",
		      t->timer.budget, (unsigned long long)legs, t->name, t->timer.interval_s,
		      (unsigned long long)needed,
		      (unsigned long long)t->timer.budget * t->timer.interval_s *
			      t->timer.refresh_at_pm / 1000);
	else if (t->timer.budget < worst)
		WARN(l, key, t->line,
		     "session_timer.budget %u refreshes/s is too little for %llu calls of "
		     "trunks.%s if its "
		     "peer chooses the shortest interval, %u s; then it needs %llu",
		     t->timer.budget, (unsigned long long)legs, t->name, t->timer.min_interval_s,
		     (unsigned long long)worst);
}

static void check_trunk(const struct config_loader *l, const struct config_trunk *t)
{
	const struct config *c = l->r.c;

	if (t->port != CONFIG_NONE && c->ports[t->port].addresses.n != 0)
		check_peers(l, t);
	check_budget(l, t);
	if (t->credentials.username[0] == 0 && t->credentials.password[0] != 0)
		FAULT(l, &t->credentials.password, t->line,
		      "trunks.%s.credentials has a password and no username; write both", t->name);
	if (t->limits.calls > c->system.capacity.calls)
		WARN(l, &t->limits.calls, t->line,
		     "trunks.%s.limits.calls %u is above system.capacity.calls %u, which comes "
		     "first",
		     t->name, t->limits.calls, c->system.capacity.calls);
}

void config_check_trunks(const struct config_loader *l)
{
	const struct config *c = l->r.c;
	uint32_t living = 0;

	for (uint32_t i = 0; i < c->n_trunks; i++)
		if (!c->trunks[i].gone) {
			living++;
			check_trunk(l, &c->trunks[i]);
		}
	if (living == 0)
		WARN(l, NULL, 0, "there is no trunk: every packet will be dropped");
	check_claims(l);
}

struct way {
	const struct config_route *route;
	uint32_t index;
};

static int by_way(const void *a, const void *b)
{
	const struct way *x = a, *y = b;
	int d = (x->route->from > y->route->from) - (x->route->from < y->route->from);

	if (d == 0)
		d = strcmp(x->route->prefix, y->route->prefix);
	if (d == 0)
		d = x->index < y->index ? -1 : 1;
	return d;
}

static void check_route(const struct config_loader *l, const struct config_route *r, uint32_t index)
{
	for (uint32_t i = 0; i < r->to.n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (r->to.list[i] == r->to.list[j])
				FAULT(l, &r->to, r->line, "routes[%u].to has %s twice; keep one",
				      index, l->r.c->trunks[r->to.list[i]].name);
	if (strpbrk(r->prefix, " ;:@%") != NULL)
		FAULT(l, &r->prefix, r->line,
		      "routes[%u].prefix is \"%s\"; write the start of a number or user, without "
		      "space "
		      "; : @ or %%",
		      index, r->prefix);
	else if (r->prefix[0] != 0 && strchr("+(0123456789", r->prefix[0]) != NULL &&
		 strpbrk(r->prefix, "-.()") != NULL)
		FAULT(l, &r->prefix, r->line,
		      "routes[%u].prefix is \"%s\"; numbers are compared without - . ( and ), so "
		      "leave "
		      "them out",
		      index, r->prefix);
}

static void check_same_routes(const struct config_loader *l)
{
	const struct config *c = l->r.c;
	struct way *ways = calloc((size_t)c->n_routes + 1, sizeof(*ways));

	if (ways == NULL)
		return;
	for (uint32_t i = 0; i < c->n_routes; i++)
		ways[i] = (struct way){&c->routes[i], i};
	qsort(ways, c->n_routes, sizeof(*ways), by_way);
	for (uint32_t i = 1; i < c->n_routes; i++) {
		const struct config_route *a = ways[i - 1].route, *b = ways[i].route;

		if (a->from == b->from && strcmp(a->prefix, b->prefix) == 0)
			FAULT(l, NULL, b->line,
			      "routes[%u] has the from and prefix of the route in line %u; put all "
			      "trunks "
			      "into one to",
			      ways[i].index, a->line);
	}
	free(ways);
}

void config_check_routes(const struct config_loader *l)
{
	const struct config *c = l->r.c;
	uint8_t *leads = calloc((size_t)c->n_trunks + 1, 1);
	bool any = false;

	if (leads == NULL)
		return;
	for (uint32_t i = 0; i < c->n_routes; i++) {
		check_route(l, &c->routes[i], i);
		if (c->routes[i].from == CONFIG_NONE)
			any = true;
		else
			leads[c->routes[i].from] = 1;
	}
	check_same_routes(l);
	for (uint32_t i = 0; i < c->n_trunks && !any; i++)
		if (!c->trunks[i].gone && leads[i] == 0)
			WARN(l, NULL, c->trunks[i].line,
			     "trunks.%s: no route is from it, so its calls get 404; write one "
			     "under routes",
			     c->trunks[i].name);
	free(leads);
}
