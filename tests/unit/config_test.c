// SPDX-License-Identifier: BSD-3-Clause
// Snapshots of the configuration: reading, ids over reloads, overrides, and the look-ups of the
// packet path.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "b2bua/engine.h"
#include "config/config_load.h"

static const char base[] =
	"ports:\n"
	"  access: { device: net_null0, addresses: [10.91.0.1/24, \"fd91::1/64\"], gateway: "
	"10.91.0.254 }\n"
	"  core: { device: net_null1, addresses: [10.92.0.1/24] }\n"
	"profiles:\n"
	"  carrier: { session_timer: { interval: 30m, refresh_at: 0.4 }, options_ping: 0 }\n"
	"trunks:\n"
	"  \"8068\": { port: access, peers: [10.91.1.2:5060, 10.91.1.2:5070], sources: "
	"[10.91.1.0/24, "
	"10.91.0.0/16], profile: carrier, session_timer: { interval: 600 }, limits: { calls: 5 } "
	"}\n"
	"  twin: { port: access, peers: [\"10.91.1.3:5060\", 10.91.9.9], profile: carrier }\n"
	"  other: { port: access, peers: [10.91.1.3:5070] }\n"
	"  six: { port: access, peers: [\"[fd91::7]:5061\"], sources: [\"fd91:0:0:0:8000::/65\"] "
	"}\n"
	"  core1: { port: core, peers: [10.92.0.2] }\n"
	"routes:\n"
	"  - { from: \"8068\", prefix: \"+1\", to: [core1] }\n"
	"  - { from: \"8068\", prefix: \"+1555\", to: [core1, twin] }\n"
	"  - { from: any, prefix: \"+15\", to: [six] }\n"
	"  - { from: any, prefix: \"+1555\", to: [other] }\n"
	"  - { from: core1, to: \"8068\" }\n"
	"  - { prefix: \"bob.\", to: twin }\n";

static struct config *load(const char *text, const struct config *previous)
{
	struct config_errors errors = {0};
	struct config *c;
	int rc = config_load_text(&c, slice_of_str(text), "test.yaml", previous, NULL, &errors);

	if (rc != 0)
		config_errors_print(&errors, stderr);
	assert_int_equal(rc, 0);
	assert_int_equal(errors.errors, 0);
	config_errors_free(&errors);
	return c;
}

static void defaults_and_values(void **)
{
	struct config *c = load(base, NULL);
	const struct config_trunk *t = &c->trunks[config_trunk_find(c, "8068")];

	assert_int_equal(c->system.workers.n, 1);
	assert_int_equal(c->system.workers.list[0], 1);
	assert_int_equal(c->system.capacity.calls, 100000);
	assert_int_equal(c->timers.t1_ms, 500);
	assert_int_equal(c->cdr.rotate_s, 3600);
	assert_int_equal(c->metrics.listen.udp, 9161);
	assert_int_equal(t->timer.interval_s, 600);
	assert_int_equal(t->timer.refresh_at_pm, 400);
	assert_int_equal(t->timer.jitter_pm, 50);
	assert_int_equal(t->timer.mode, CONFIG_TIMER_MODE_SUPPORTED);
	assert_int_equal(c->profiles[t->profile].timer.interval_s, 1800);
	assert_int_equal(t->peers.n, 2);
	assert_int_equal(t->peers.list[1].udp, 5070);
	assert_int_equal(c->trunks[config_trunk_find(c, "core1")].peers.list[0].udp, 5060);
	assert_string_equal(c->profiles[c->trunks[config_trunk_find(c, "six")].profile].name,
			    "default");
	assert_int_equal(config_trunk_find(c, "806"), -ENOENT);
	config_free(c);
}

static struct flow from(const char *ip, uint16_t udp)
{
	struct flow f = {.family = strchr(ip, ':') != NULL ? 6 : 4, .peer_udp = udp};

	assert_int_equal(inet_pton(f.family == 6 ? AF_INET6 : AF_INET, ip, f.peer_ip), 1);
	return f;
}

static void trunk_by_source(void **)
{
	static const struct {
		const char *shows, *port, *ip;
		uint16_t udp;
		const char *trunk; // NULL: none
	} rows[] = {
		{"longest prefix", "access", "10.91.1.77", 5060, "8068"},
		{"shorter prefix", "access", "10.91.200.1", 5060, "8068"},
		{"peer's address, any port", "access", "10.91.9.9", 40000, "twin"},
		{"peer's address and port", "access", "10.91.1.3", 5060, "twin"},
		{"the same address, another trunk's port", "access", "10.91.1.3", 5070, "other"},
		{"shared address, unknown port: prefix", "access", "10.91.1.3", 5080, "8068"},
		{"nobody", "access", "10.90.0.1", 5060, NULL},
		{"right address on the wrong port", "core", "10.91.1.77", 5060, NULL},
		{"core's peer", "core", "10.92.0.2", 1024, "core1"},
		{"IPv6 peer", "access", "fd91::7", 9, "six"},
		{"IPv6 prefix", "access", "fd91::ffff:0:0:1", 9, "six"},
		{"IPv6 outside the prefix", "access", "fd91::7fff:0:0:1", 9, NULL},
		{"IPv6 nobody", "core", "fd91::7", 9, NULL},
	};
	struct config *c = load(base, NULL);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct flow f = from(rows[i].ip, rows[i].udp);
		int port = config_port_find(c, rows[i].port);
		int id = config_trunk_by_source(c, (uint8_t)port, &f);

		if ((rows[i].trunk == NULL) != (id < 0) ||
		    (id >= 0 && strcmp(c->trunks[id].name, rows[i].trunk) != 0))
			fail_msg("%s: %s", rows[i].shows, id < 0 ? "none" : c->trunks[id].name);
	}
	struct flow f = from("10.91.1.77", 5060);

	assert_int_equal(config_trunk_by_source(c, 31, &f), -ENOENT);
	assert_int_equal(config_trunk_by_source(c, 255, &f), -ENOENT);
	config_free(c);
}

static void route(void **)
{
	static const struct {
		const char *shows, *from, *user, *to; // to: the first; NULL: none
		unsigned n;
	} rows[] = {
		{"short prefix", "8068", "+1234", "core1", 1},
		{"longest wins", "8068", "+15551234", "core1", 2},
		{"any with a longer prefix than own", "8068", "+1599", "six", 1},
		{"any", "twin", "+15551234", "other", 1},
		{"visual separators", "8068", "+1-(555)-12.34", "core1", 2},
		{"tel parameters", "8068", "+1;npdi;rn=+1555", "core1", 1},
		{"escaped plus", "8068", "%2b1555", "core1", 2},
		{"broken escape", "8068", "%2", NULL, 0},
		{"password cut", "twin", "+1555:secret", "other", 1},
		{"no route", "twin", "+49", NULL, 0},
		{"empty prefix", "core1", "alice", "8068", 1},
		{"empty user", "core1", "", "8068", 1},
		{"empty user, no route", "twin", "", NULL, 0},
		{"a user's dots stay", "twin", "bob.smith", "twin", 1},
		{"case counts", "twin", "Bob.smith", NULL, 0},
		{"longer than any prefix", "8068",
		 "+1555000000000000000000000000000000000000000000000000000000000000000000000000000",
		 "core1", 2},
	};
	struct config *c = load(base, NULL);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int trunk = config_trunk_find(c, rows[i].from);
		const uint16_t *to = NULL;
		unsigned n = 0;
		int rc = config_route(c, (uint16_t)trunk, slice_of_str(rows[i].user), &to, &n);

		if ((rc == 0) != (rows[i].to != NULL) || n != rows[i].n ||
		    (rc == 0 && strcmp(c->trunks[to[0]].name, rows[i].to) != 0))
			fail_msg("%s: rc %d, n %u, %s", rows[i].shows, rc, n,
				 rc == 0 ? c->trunks[to[0]].name : "");
	}
	config_free(c);
}

static void ids_outlive_reloads(void **)
{
	struct config *a = load(base, NULL), *b, *d;
	int core1 = config_trunk_find(a, "core1"), old = config_trunk_find(a, "8068");

	b = load("ports:\n"
		 "  core: { device: net_null1, addresses: [10.92.0.1/24] }\n"
		 "trunks:\n"
		 "  new: { port: core, peers: [10.92.0.3] }\n"
		 "  core1: { port: core, peers: [10.92.0.9] }\n"
		 "routes: [ { to: new } ]\n",
		 a);
	assert_int_equal(b->version, a->version + 1);
	assert_int_equal(config_trunk_find(b, "core1"), core1);
	assert_int_equal(config_trunk_find(b, "new"), (int)a->n_trunks);
	assert_int_equal(config_trunk_find(b, "8068"), -ENOENT);
	assert_true(b->trunks[old].gone);
	config_free(a);
	assert_string_equal(b->trunks[old].name, "8068"); // all of it is b's own
	assert_int_equal(b->trunks[old].timer.interval_s, 600);
	assert_int_equal(b->trunks[old].peers.list[1].udp, 5070);
	assert_string_equal(b->ports[b->trunks[old].port].name, "access");
	d = load(base, b);
	assert_int_equal(config_trunk_find(d, "8068"), old);
	assert_true(d->trunks[config_trunk_find(b, "new")].gone);
	config_free(b);
	config_free(d);
}

static void overrides(void **)
{
	struct config *a = load(base, NULL), *b, *c, *d;
	struct config_errors errors = {0};
	int id = config_trunk_find(a, "8068");

	assert_int_equal(config_override(&b, a, "8068", "session_timer.mode", "observe", &errors),
			 0);
	assert_int_equal(b->trunks[id].timer.mode, CONFIG_TIMER_MODE_OBSERVE);
	assert_int_equal(b->trunks[id].timer.interval_s, 600);
	assert_int_equal(config_override(&c, b, "8068", "limits.calls", "7", &errors), 0);
	assert_int_equal(c->trunks[id].timer.mode, CONFIG_TIMER_MODE_OBSERVE);
	assert_int_equal(c->trunks[id].limits.calls, 7);
	assert_int_equal(config_overrides(c), 2);
	assert_string_equal(config_override_at(c, 1)->key, "limits.calls");
	assert_int_equal(config_override(&d, c, "8068", "limits.calls", NULL, &errors), 0);
	assert_int_equal(config_overrides(d), 1);
	assert_int_equal(d->trunks[id].timer.mode, CONFIG_TIMER_MODE_OBSERVE);
	assert_int_equal(d->trunks[id].limits.calls, 5);
	config_free(d);
	assert_int_equal(config_override(&d, c, "8068", NULL, NULL, &errors), 0);
	assert_int_equal(d->trunks[id].timer.mode, CONFIG_TIMER_MODE_SUPPORTED);
	assert_int_equal(d->trunks[id].limits.calls, 5);
	config_free(d);
	assert_int_equal(errors.errors, 0);
	assert_int_equal(config_override(&d, c, "nobody", "limits.calls", "7", &errors), -ENOENT);
	assert_int_equal(config_override(&d, c, "8068", "limits.cals", "7", &errors), -EINVAL);
	assert_non_null(strstr(errors.list[0].text, "did you mean calls?"));
	assert_int_equal(config_override(&d, c, "8068", "port", "core", &errors), -EINVAL);
	assert_int_equal(config_override(&d, c, "8068", "session_timer", "off", &errors), -EINVAL);
	assert_int_equal(config_override(&d, c, "8068", "session_timer.interval", "30", &errors),
			 -EINVAL);
	assert_int_equal(errors.errors, 1);
	config_errors_free(&errors);
	config_free(a);
	config_free(b);
	config_free(c);
}

// Several at once are checked together: on the way from one to the other may be what is refused.
static void overrides_at_once(void **)
{
	static const struct config_override both[] = {
		{"8068", "session_timer.interval", "7200"},
		{"8068", "session_timer.min_interval", "3600"},
		{"8068", "session_timer.interval", "3600"},
	};
	struct config *a = load(base, NULL), *b, *c;
	struct config_errors errors = {0};
	int id = config_trunk_find(a, "8068");

	assert_int_equal(config_override_all(&b, a, both, 2, &errors), 0);
	assert_int_equal(b->trunks[id].timer.interval_s, 7200);
	assert_int_equal(b->trunks[id].timer.min_interval_s, 3600);
	assert_int_equal(config_overrides(b), 2);
	assert_int_equal(config_override_all(&c, b, both, 3, &errors), 0);
	assert_int_equal(c->trunks[id].timer.interval_s, 3600);
	assert_int_equal(config_overrides(c), 2);
	config_free(c);
	assert_int_equal(config_override_all(&c, a, both + 1, 1, &errors), -EINVAL);
	assert_null(c);
	assert_int_equal(errors.errors, 1);
	config_errors_free(&errors);
	config_free(a);
	config_free(b);
}

static void next_hops(void **)
{
	struct config *c = load(base, NULL);
	const struct config_port *p = &c->ports[config_port_find(c, "access")];
	struct config_ip near = {4, {10, 91, 0, 9}}, far = {4, {192, 0, 2, 1}},
			 own = {4, {10, 91, 0, 1}};
	struct config_ip six = {6, {0x20, 1}};

	assert_ptr_equal(config_port_next_hop(p, &near), &near);
	assert_ptr_equal(config_port_next_hop(p, &far), &p->gateways.list[0]);
	assert_null(config_port_next_hop(p, &six));
	assert_null(config_port_next_hop(&c->ports[config_port_find(c, "core")], &far));
	assert_true(config_port_is_own(p, &own));
	assert_false(config_port_is_own(p, &near));
	assert_int_equal(config_port_address(p, 6)->len, 64);
	config_free(c);
}

// A thousand trunks: each found by its own prefix, and none by its neighbour's.
static void many_trunks(void **)
{
	enum { N = 1000 };
	char *text = malloc(N * 160 + 400);
	size_t len;
	struct config *c;

	assert_non_null(text);
	len = (size_t)snprintf(text, 400,
			       "ports: { a: { device: x, addresses: [10.255.0.1/16], gateway: "
			       "10.255.0.2 } }\ntrunks:\n");
	for (int i = 0; i < N; i++)
		len += (size_t)snprintf(
			text + len, 160,
			"  t%d: { port: a, peers: [11.%d.%d.1], sources: [12.%d.%d.0/%d] }\n", i,
			i / 250, i % 250, i / 250, i % 250, 24 + i % 3);
	snprintf(text + len, 100, "routes: [ { to: t7 } ]\n");
	c = load(text, NULL);
	for (int i = 0; i < N; i++) {
		char ip[32];
		struct flow f;

		snprintf(ip, sizeof(ip), "12.%d.%d.40", i / 250, i % 250);
		f = from(ip, 5060);
		assert_int_equal(config_trunk_by_source(c, 0, &f), i);
		snprintf(ip, sizeof(ip), "12.%d.%d.200", i / 250, i % 250);
		f = from(ip, 5060);
		assert_int_equal(config_trunk_by_source(c, 0, &f), i % 3 == 0 ? i : -ENOENT);
		snprintf(ip, sizeof(ip), "11.%d.%d.1", i / 250, i % 250);
		f = from(ip, 7);
		assert_int_equal(config_trunk_by_source(c, 0, &f), i);
	}
	config_free(c);
	free(text);
}

// What --check says of memory is not less than what workers take, and not much more.
static void memory(void **)
{
	static const struct {
		uint32_t calls, transactions, leg_text; // 0 transactions: derived
	} rows[] = {
		{1000, 0, 2048}, {20000, 0, 2048},  {100000, 0, 2048},	   {1000000, 0, 2048},
		{20000, 0, 512}, {20000, 0, 65536}, {20000, 200000, 2048}, {20000, 2000, 2048},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t n = rows[i].calls, derived = n > 65536 ? n : n * 8 < 65536 ? n * 8 : 65536;
		uint32_t transactions = rows[i].transactions != 0 ? rows[i].transactions : derived;
		struct engine_params params = {.calls = n, .transactions = transactions};
		uint64_t real = engine_footprint(&params) + 2ull * n * rows[i].leg_text +
				transactions / 2 * 2400ull + transactions / 16 * 16800ull;
		struct config *c;
		uint64_t said;
		char text[2048];

		snprintf(text, sizeof(text),
			 "system: { capacity: { calls: %u, transactions: %u, leg_text: %u } }\n%s",
			 n, rows[i].transactions, rows[i].leg_text, base);
		c = load(text, NULL);
		said = config_memory(c) - (64ull << 20);
		if (said < real || said > real + real / 4)
			fail_msg("row %u: %u calls: %llu said, %llu taken", i, n,
				 (unsigned long long)said, (unsigned long long)real);
		config_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_and_values),
		cmocka_unit_test(trunk_by_source),
		cmocka_unit_test(route),
		cmocka_unit_test(ids_outlive_reloads),
		cmocka_unit_test(overrides),
		cmocka_unit_test(overrides_at_once),
		cmocka_unit_test(next_hops),
		cmocka_unit_test(many_trunks),
		cmocka_unit_test(memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
