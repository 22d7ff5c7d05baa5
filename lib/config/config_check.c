// SPDX-License-Identifier: BSD-3-Clause
// Checks of the system, the ports and the session timers of a configuration.
// Control thread. A warning is for what works but is rarely meant.
#include "config/config_check.h"

#include "config/config_text.h"

#define FAULT(l, field, otherwise, ...)                                                         \
	config_errors_add((l)->r.errors, false, config_read_line((l), (field), (otherwise)), 0, \
			  __VA_ARGS__)
#define WARN(l, field, otherwise, ...)                                                         \
	config_errors_add((l)->r.errors, true, config_read_line((l), (field), (otherwise)), 0, \
			  __VA_ARGS__)

static void check_workers(const struct config_loader *l)
{
	const struct config_system *s = &l->r.c->system;
	uint32_t cpus = l->machine != NULL ? l->machine->cpus : 0;

	for (uint32_t i = 0; i < s->workers.n; i++) {
		unsigned cpu = s->workers.list[i];

		for (uint32_t j = 0; j < i; j++)
			if (s->workers.list[j] == cpu)
				FAULT(l, &s->workers, 0,
				      "system.workers has CPU %u twice; each worker needs its own",
				      cpu);
		if (cpus != 0 && cpu >= cpus)
			FAULT(l, &s->workers, 0,
			      "system.workers has CPU %u, but this machine has CPUs 0 to %u", cpu,
			      cpus - 1);
		if (cpu != s->control_core)
			continue;
		if (s->idle == CONFIG_IDLE_BUSY)
			FAULT(l, &s->control_core, config_read_line(l, &s->workers, 0),
			      "system.control_core %u is also a worker's CPU, which idle: busy "
			      "never "
			      "leaves; choose another CPU or idle: adaptive",
			      cpu);
		else
			WARN(l, &s->control_core, config_read_line(l, &s->workers, 0),
			     "system.control_core %u is also a worker's CPU: refreshes may be late "
			     "under load",
			     cpu);
	}
	if (cpus != 0 && s->control_core >= cpus)
		FAULT(l, &s->control_core, 0,
		      "system.control_core is %u, but this machine has CPUs 0 to %u",
		      s->control_core, cpus - 1);
}

uint64_t config_memory(const struct config *c)
{
	// What one of each takes, rounded up: records, index entries and wheel nodes of the engine;
	// of a transaction also its part of the message buffers. tests/unit/config_test.c holds
	// it against engine_footprint().
	enum { CALL = 640, TRANSACTION = 256, BUFFERS = 2300, WORKER = 64 << 20 };
	const struct config_capacity *capacity = &c->system.capacity;
	uint64_t calls = capacity->calls, transactions = capacity->transactions, sum;

	// 0: as dataplane/dataplane.c derives it
	if (transactions == 0)
		transactions = calls > 65536 ? calls : calls * 8 < 65536 ? calls * 8 : 65536;
	sum = calls * CALL + 2 * calls * capacity->leg_text +
	      transactions * (TRANSACTION + BUFFERS);
	if (c->system.workers.n > 1) // shares are not even: each worker has room for more
		sum += sum / 8;
	return sum + (uint64_t)c->system.workers.n * WORKER;
}

void config_check_system(const struct config_loader *l)
{
	const struct config *c = l->r.c;
	const struct config_system *s = &c->system;
	uint64_t needed = config_memory(c);

	check_workers(l);
	if (l->machine != NULL && l->machine->memory != 0 && needed > l->machine->memory)
		FAULT(l, &s->capacity.calls, 0,
		      "system.capacity.calls %u needs about %llu MiB, but this machine has %llu "
		      "MiB; at "
		      "most %llu calls fit",
		      s->capacity.calls, (unsigned long long)(needed >> 20),
		      (unsigned long long)(l->machine->memory >> 20),
		      (unsigned long long)(s->capacity.calls * (l->machine->memory >> 10) /
					   (needed >> 10)));
	if (s->capacity.transactions != 0 && s->capacity.transactions < s->capacity.calls / 16)
		WARN(l, &s->capacity.transactions, 0,
		     "system.capacity.transactions %u is little for %u calls; 0 derives it",
		     s->capacity.transactions, s->capacity.calls);
	if (s->run_dir[0] != '/')
		FAULT(l, &s->run_dir, 0, "system.run_dir is \"%s\"; write it from / on",
		      s->run_dir);
	if (c->timers.t2_ms < c->timers.t1_ms)
		FAULT(l, &c->timers.t2_ms, config_read_line(l, &c->timers.t1_ms, 0),
		      "timers.t2 %u ms is below timers.t1 %u ms; raise t2 or lower t1",
		      c->timers.t2_ms, c->timers.t1_ms);
	if (c->cdr.file[0] != 0 && c->cdr.file[0] != '/')
		FAULT(l, &c->cdr.file, 0, "cdr.file is \"%s\"; write it from / on", c->cdr.file);
}

static bool is_unicast(const struct config_ip *ip)
{
	static const uint8_t zero[16];

	if (memcmp(ip->bytes, zero, 16) == 0)
		return false;
	if (ip->family == 6)
		return ip->bytes[0] != 0xff;
	return ip->bytes[0] != 0 && ip->bytes[0] != 127 && ip->bytes[0] < 224;
}

// All host bits 0, or all 1: the net's own and its broadcast address (IPv4).
static bool is_edge(const struct config_net *net)
{
	uint32_t v = (uint32_t)net->ip.bytes[0] << 24 | (uint32_t)net->ip.bytes[1] << 16 |
		     (uint32_t)net->ip.bytes[2] << 8 | net->ip.bytes[3];
	uint32_t host = net->len < 31 ? UINT32_MAX >> net->len : 0;

	return net->ip.family == 4 && host != 0 && ((v & host) == 0 || (v & host) == host);
}

static void show(char *text, size_t size, const struct config_ip *ip)
{
	struct outbuf o = outbuf_of(text, size - 1);

	config_text_print_ip(&o, ip);
	text[o.len] = 0;
}

static bool overlap(const struct config_net *a, const struct config_net *b)
{
	return a->len <= b->len ? config_value_in_net(a, &b->ip) : config_value_in_net(b, &a->ip);
}

static void check_addresses(const struct config_loader *l, const struct config_port *p)
{
	for (uint32_t i = 0; i < p->addresses.n; i++) {
		const struct config_net *a = &p->addresses.list[i];
		char text[64];

		show(text, sizeof(text), &a->ip);
		if (!is_unicast(&a->ip))
			FAULT(l, &p->addresses, p->line,
			      "ports.%s.addresses has %s, which no host may have", p->name, text);
		else if (is_edge(a))
			FAULT(l, &p->addresses, p->line,
			      "ports.%s.addresses has %s/%u, which is the net's or its broadcast "
			      "address; write the host's own",
			      p->name, text, a->len);
		if (a->ip.family == 6 && p->mtu < 1280)
			FAULT(l, &p->mtu, p->line,
			      "ports.%s.mtu is %u, but IPv6 needs at least 1280 (RFC 8200 s5)",
			      p->name, p->mtu);
		for (uint32_t j = 0; j < i; j++)
			if (config_value_same_ip(&a->ip, &p->addresses.list[j].ip))
				FAULT(l, &p->addresses, p->line,
				      "ports.%s.addresses has %s twice; keep one", p->name, text);
	}
}

static void check_gateways(const struct config_loader *l, const struct config_port *p)
{
	for (uint32_t i = 0; i < p->gateways.n; i++) {
		const struct config_ip *g = &p->gateways.list[i];
		bool link_local =
			g->family == 6 && g->bytes[0] == 0xfe && (g->bytes[1] & 0xc0) == 0x80;
		bool connected = link_local;
		char text[64];

		show(text, sizeof(text), g);
		for (uint32_t j = 0; j < p->addresses.n; j++)
			connected |= config_value_in_net(&p->addresses.list[j], g);
		if (!connected)
			FAULT(l, &p->gateways, p->line,
			      "ports.%s.gateway %s is in none of the port's nets; it must be in "
			      "one of "
			      "them",
			      p->name, text);
		if (config_port_is_own(p, g))
			FAULT(l, &p->gateways, p->line,
			      "ports.%s.gateway %s is the port's own address; write the router's",
			      p->name, text);
		if (i == 1 && p->gateways.list[0].family == g->family)
			FAULT(l, &p->gateways, p->line,
			      "ports.%s.gateway has two of IPv%u; write one for each family",
			      p->name, g->family);
	}
}

static void check_port_pair(const struct config_loader *l, const struct config_port *a,
			    const struct config_port *b)
{
	char text[64];

	if (strcmp(a->device, b->device) == 0 && a->vlan == b->vlan)
		FAULT(l, &b->device, b->line,
		      "ports.%s has the device and vlan of ports.%s (line %u); give it another "
		      "device or "
		      "vlan",
		      b->name, a->name, a->line);
	for (uint32_t i = 0; i < a->addresses.n; i++)
		for (uint32_t j = 0; j < b->addresses.n; j++) {
			const struct config_net *x = &a->addresses.list[i];
			const struct config_net *y = &b->addresses.list[j];

			show(text, sizeof(text), &y->ip);
			if (config_value_same_ip(&x->ip, &y->ip))
				FAULT(l, &b->addresses, b->line,
				      "ports.%s.addresses has %s, which ports.%s (line %u) has "
				      "too; each "
				      "port needs its own",
				      b->name, text, a->name, a->line);
			else if (overlap(x, y))
				WARN(l, &b->addresses, b->line,
				     "ports.%s.addresses: the net of %s/%u overlaps one of "
				     "ports.%s "
				     "(line %u); trunks decide which port a packet leaves by",
				     b->name, text, y->len, a->name, a->line);
		}
}

void config_check_ports(const struct config_loader *l)
{
	const struct config *c = l->r.c;
	uint32_t living = 0;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct config_port *p = &c->ports[i];

		if (p->gone)
			continue;
		living++;
		check_addresses(l, p);
		check_gateways(l, p);
		for (uint32_t j = 0; j < i; j++)
			if (!c->ports[j].gone)
				check_port_pair(l, &c->ports[j], p);
	}
	if (living == 0)
		FAULT(l, NULL, 0,
		      "there is no port; write one under ports with device and addresses");
}

// One set of timer keys, of a profile or of a trunk that has its own.
static void check_timer(const struct config_loader *l, const struct config_timer *t,
			const char *where, const char *name, uint32_t line)
{
	uint32_t t1_ms = l->r.c->timers.t1_ms, early_pm = 0;
	uint64_t left_ms = (uint64_t)t->min_interval_s * (1000 - t->refresh_at_pm);

	if (t->min_interval_s > t->interval_s)
		FAULT(l, &t->min_interval_s, config_read_line(l, &t->interval_s, line),
		      "%s.%s.session_timer: min_interval %u s is above interval %u s; lower "
		      "min_interval "
		      "or raise interval",
		      where, name, t->min_interval_s, t->interval_s);
	if (t->interval_s > t->max_interval_s)
		FAULT(l, &t->interval_s, config_read_line(l, &t->max_interval_s, line),
		      "%s.%s.session_timer: interval %u s is above max_interval %u s; lower "
		      "interval or "
		      "raise max_interval",
		      where, name, t->interval_s, t->max_interval_s);
	if (t->jitter_pm >= t->refresh_at_pm)
		FAULT(l, &t->jitter_pm, config_read_line(l, &t->refresh_at_pm, line),
		      "%s.%s.session_timer: jitter 0.%03u leaves nothing of refresh_at 0.%03u; "
		      "make it "
		      "smaller",
		      where, name, t->jitter_pm, t->refresh_at_pm);
	else
		early_pm = t->refresh_at_pm - t->jitter_pm;
	if (t->learn > t->learn_of)
		FAULT(l, &t->learn, config_read_line(l, &t->learn_of, line),
		      "%s.%s.session_timer: learn %u is above learn_of %u; lower learn or raise "
		      "learn_of",
		      where, name, t->learn, t->learn_of);
	if (t->mode == CONFIG_TIMER_MODE_OFF)
		return;
	if (left_ms <= (uint64_t)t1_ms * 64)
		FAULT(l, &t->min_interval_s, config_read_line(l, &l->r.c->timers.t1_ms, line),
		      "%s.%s.session_timer: at an interval of %u s a refresh leaves %u s, but "
		      "verge knows "
		      "that it failed only after 64 x timers.t1 = %u s; raise min_interval to %u",
		      where, name, t->min_interval_s, (unsigned)(left_ms / 1000), t1_ms * 64 / 1000,
		      (unsigned)((uint64_t)t1_ms * 64 / (1000 - t->refresh_at_pm) + 1));
	if (early_pm != 0 && (uint64_t)t->min_interval_s * early_pm < 15000)
		WARN(l, &t->refresh_at_pm, config_read_line(l, &t->jitter_pm, line),
		     "%s.%s.session_timer: at an interval of %u s verge may refresh every %u s; "
		     "raise "
		     "refresh_at or min_interval",
		     where, name, t->min_interval_s,
		     (unsigned)((uint64_t)t->min_interval_s * early_pm / 1000));
}

void config_check_timers(const struct config_loader *l)
{
	const struct config *c = l->r.c;

	for (uint32_t i = 0; i < c->n_profiles; i++)
		if (!c->profiles[i].gone)
			check_timer(l, &c->profiles[i].timer, "profiles", c->profiles[i].name,
				    c->profiles[i].line);
	for (uint32_t i = 0; i < c->n_trunks; i++) {
		const struct config_trunk *t = &c->trunks[i];

		if (!t->gone && !config_schema_same(&config_schema_timer, &t->timer,
						    &c->profiles[t->profile].timer))
			check_timer(l, &t->timer, "trunks", t->name, t->line);
	}
}

void config_check(const struct config_loader *l)
{
	config_check_system(l);
	config_check_ports(l);
	config_check_timers(l);
	config_check_trunks(l);
	config_check_routes(l);
}
